# One line per target in the rooms' CMakeLists.txt. Each function takes
#   NAME SOURCES file… [DEPS target…]

function(_snug_common target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/api)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${SNUG_WARNINGS}>)
endfunction()

# A static library of a room. Headers are included as "room/name.h", contracts as "engine.h" from api/.
function(snug_library target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${target} STATIC ${ARG_SOURCES})
  _snug_common(${target})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/api)
  target_link_libraries(${target} PUBLIC ${ARG_DEPS})
endfunction()

# A program in build/<preset>/bin. No symbol of it is visible to the plug-ins it loads: TensorFlow crashes at load
# when it finds another protobuf in the global scope.
function(snug_program target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  _snug_common(${target})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS})
  target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections)
  set_property(GLOBAL APPEND PROPERTY SNUG_PROGRAMS ${target})
endfunction()

# An engine or parser plug-in: build/<preset>/lib/snug/<target>.so
function(snug_plugin target)
  cmake_parse_arguments(ARG "TEST_ONLY" "" "SOURCES;DEPS" ${ARGN})
  add_library(${target} MODULE ${ARG_SOURCES})
  _snug_common(${target})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS})
  target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL)
  set_target_properties(${target} PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${SNUG_PLUGIN_DIR})
  if(ARG_TEST_ONLY)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${SNUG_PLUGIN_DIR}/test)
  else()
    set_property(GLOBAL APPEND PROPERTY SNUG_PLUGINS ${target})
  endif()
endfunction()

# A GoogleTest program of the fast suite: seconds, no network but loopback port 0, no sleeps.
function(snug_test target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  _snug_common(${target})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE
    SNUG_TEST_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}" SNUG_TEST_PLUGIN_DIR="${SNUG_PLUGIN_DIR}"
    SNUG_TEST_BIN_DIR="${SNUG_BIN_DIR}")
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${target} COMMAND ${target})
  set_tests_properties(${target} PROPERTIES LABELS fast TIMEOUT 120)
endfunction()

# A google-benchmark program, built with everything else but never run by the tests.
function(snug_bench target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  _snug_common(${target})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS} benchmark::benchmark)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
endfunction()

add_custom_target(fuzzers)  # those that are libFuzzer's

# A libFuzzer target when clang compiles, else a test that runs the same function over the seed corpus in
# <name>_corpus/ and over mutations of it from a fixed seed.
function(snug_fuzz target)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    add_executable(${target} ${ARG_SOURCES})
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${target})
  else()
    add_executable(${target} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/src/base/fuzz_driver.cc)
    add_test(NAME ${target} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/${target}_corpus)
    set_tests_properties(${target} PROPERTIES LABELS fast TIMEOUT 120)
  endif()
  _snug_common(${target})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endfunction()
