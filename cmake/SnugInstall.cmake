# `cmake --install build/release --prefix /usr/local`: programs, plug-ins, contracts.
include(GNUInstallDirs)
get_property(programs GLOBAL PROPERTY SNUG_PROGRAMS)
get_property(plugins GLOBAL PROPERTY SNUG_PLUGINS)
# What a user runs, without tests and benchmarks.
add_custom_target(programs DEPENDS ${programs} ${plugins})
if(programs)
  install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(plugins)
  install(TARGETS ${plugins} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/snug)
endif()
install(FILES api/engine.h api/parser.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/snug OPTIONAL)
install(DIRECTORY api/proto DESTINATION ${CMAKE_INSTALL_DATADIR}/snug OPTIONAL)
