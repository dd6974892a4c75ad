# `cmake --install build/release --prefix /usr/local`: programs, plug-ins, contracts. Programs find their plug-ins in
# ../lib/snug; the engines' libraries and Envoy stay in the build's Python environment, and installed plug-ins and a link
# name it. Without it (a copied tree), LD_LIBRARY_PATH and SNUG_ENVOY say where they are.
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
install(CODE "
  set(envoy_link \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/snug/envoy\")
  file(CREATE_LINK \"${SNUG_RUNTIME_SITE}/envoy/_bin/envoy\" \"\${envoy_link}\" SYMBOLIC)
  message(STATUS \"Installing: \${envoy_link}\")")
install(FILES api/engine.h api/parser.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/snug OPTIONAL)
install(DIRECTORY api/proto DESTINATION ${CMAKE_INSTALL_DATADIR}/snug OPTIONAL)
install(FILES api/openapi.yaml api/server.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/snug OPTIONAL)
