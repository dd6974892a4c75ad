# Targets `format`, `format-check` and `tidy`, with the versions that Debian 12 pins.
find_program(CLANG_FORMAT clang-format-14)
find_program(RUN_CLANG_TIDY run-clang-tidy-14)
file(GLOB_RECURSE style_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cc ${CMAKE_SOURCE_DIR}/src/*.h
     ${CMAKE_SOURCE_DIR}/api/*.h ${CMAKE_SOURCE_DIR}/bench/*.cc)
if(CLANG_FORMAT)
  add_custom_target(format COMMAND ${CLANG_FORMAT} -i ${style_files})
  add_custom_target(format-check COMMAND ${CLANG_FORMAT} --dry-run --Werror ${style_files})
endif()
if(RUN_CLANG_TIDY)
  add_custom_target(tidy COMMAND ${RUN_CLANG_TIDY} -quiet -p ${CMAKE_BINARY_DIR} "${CMAKE_SOURCE_DIR}/src/.*")
endif()
