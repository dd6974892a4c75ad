# The compiler's settings, for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# Programs and plug-ins lie side by side, so that a program finds its plug-ins without any configuration.
set(SNUG_BIN_DIR ${CMAKE_BINARY_DIR}/bin)
set(SNUG_PLUGIN_DIR ${CMAKE_BINARY_DIR}/lib/snug)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${SNUG_BIN_DIR})

set(SNUG_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
if(SNUG_SANITIZE)
  add_compile_options(-fsanitize=${SNUG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SNUG_SANITIZE})
  if(SNUG_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-tsan)  # Asio's fences, which GCC's ThreadSanitizer does not model
    # protobuf's headers give messages one member more where they see this, Debian's library was built without.
    add_compile_options(-U__SANITIZE_THREAD__)
  endif()
endif()

# Tells a test that sanitizers watch, for what they cannot: GCC's own macro is not always there, see above. SNUG_SANITIZED_THREADS:
# ThreadSanitizer, which sees neither the locks nor the barriers of libraries that were built without it.
# The environment is for engines' libraries: oneTBB then opens none in a way that sanitizers refuse, and OpenVINO may try each of its
# readers of files on any file, one of which asks for half of all addresses.
function(snug_sanitized target)
  if(NOT SNUG_SANITIZE)
    return()
  endif()
  target_compile_definitions(${target} PRIVATE SNUG_SANITIZED)
  if(SNUG_SANITIZE MATCHES thread)
    target_compile_definitions(${target} PRIVATE SNUG_SANITIZED_THREADS)
  endif()
  set_tests_properties(${target} PROPERTIES ENVIRONMENT
    "TBB_ENABLE_SANITIZERS=1;ASAN_OPTIONS=allocator_may_return_null=1;LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tools/lsan.supp")
endfunction()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

# Own code compiles without a warning; generated and third-party code is not judged.
set(SNUG_WARNINGS -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
    -Wno-missing-field-initializers -Werror)  # designated initialisers leave the rest at their defaults on purpose
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  list(APPEND SNUG_WARNINGS -Wthread-safety)
endif()

find_program(SNUG_CCACHE ccache)
if(SNUG_CCACHE)
  # Relative paths in the cache's keys: a clone elsewhere still hits.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros ${SNUG_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()
