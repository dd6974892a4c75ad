# Generated C++ of four protocol families:
#   snug_proto    api/proto/snug/v1/*.proto                                (messages and service)
#   snug_oip      KServe v2 / Triton, from the descriptors of the pinned tritonclient wheel
#   snug_tfs      TensorFlow Serving, from the descriptors of the pinned tensorflow-serving-api wheel
#   snug_xds      the ADS service of Envoy, from the descriptors of the pinned xds-protos wheel
set(SNUG_GEN_DIR ${CMAKE_BINARY_DIR}/gen)
file(MAKE_DIRECTORY ${SNUG_GEN_DIR})
find_program(PROTOC protoc REQUIRED)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)

# snug_proto_library(NAME INPUT protoc-options… DEPENDS file… FILES proto… [GRPC proto…])
function(snug_proto_library target)
  cmake_parse_arguments(ARG "" "" "INPUT;DEPENDS;FILES;GRPC" ${ARGN})
  set(sources)
  foreach(proto IN LISTS ARG_FILES)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    list(APPEND sources ${SNUG_GEN_DIR}/${target}/${stem}.pb.cc)
  endforeach()
  foreach(proto IN LISTS ARG_GRPC)
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    list(APPEND sources ${SNUG_GEN_DIR}/${target}/${stem}.grpc.pb.cc)
  endforeach()
  set(grpc_command)
  if(ARG_GRPC)
    set(grpc_command COMMAND ${PROTOC} ${ARG_INPUT} --grpc_out=${SNUG_GEN_DIR}/${target}
        --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${ARG_GRPC})
  endif()
  file(MAKE_DIRECTORY ${SNUG_GEN_DIR}/${target})
  add_custom_command(OUTPUT ${sources}
    COMMAND ${PROTOC} ${ARG_INPUT} --cpp_out=${SNUG_GEN_DIR}/${target} ${ARG_FILES}
    ${grpc_command}
    DEPENDS ${ARG_DEPENDS} COMMENT "Generating ${target}" VERBATIM)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} SYSTEM PUBLIC ${SNUG_GEN_DIR}/${target})
  target_link_libraries(${target} PUBLIC snug_grpc)
  target_compile_options(${target} PRIVATE -w)
endfunction()

snug_proto_library(snug_proto
  INPUT -I${CMAKE_SOURCE_DIR}/api/proto
  DEPENDS ${CMAKE_SOURCE_DIR}/api/proto/snug/v1/prediction.proto
  FILES snug/v1/prediction.proto GRPC snug/v1/prediction.proto)

set(SNUG_FDS_DIR ${CMAKE_SOURCE_DIR}/build/protos CACHE PATH "Descriptor sets written by tools/protos")
if(EXISTS ${SNUG_FDS_DIR}/oip.fds)
  snug_proto_library(snug_oip
    INPUT --descriptor_set_in=${SNUG_FDS_DIR}/oip.fds DEPENDS ${SNUG_FDS_DIR}/oip.fds
    FILES model_config.proto grpc_service.proto GRPC grpc_service.proto)
endif()
if(EXISTS ${SNUG_FDS_DIR}/xds.fds)
  file(READ ${SNUG_FDS_DIR}/ads_closure.txt ads_closure)
  string(REGEX MATCHALL "[^ \n]+\\.proto" ads_closure "${ads_closure}")
  snug_proto_library(snug_xds
    INPUT --descriptor_set_in=${SNUG_FDS_DIR}/xds.fds DEPENDS ${SNUG_FDS_DIR}/xds.fds
    FILES ${ads_closure} GRPC envoy/service/discovery/v3/ads.proto)
endif()
if(EXISTS ${SNUG_FDS_DIR}/tfs.fds)
  file(READ ${SNUG_FDS_DIR}/tfs_closure.txt tfs_closure)
  string(REGEX MATCHALL "[^ \n]+\\.proto" tfs_closure "${tfs_closure}")
  snug_proto_library(snug_tfs
    INPUT --descriptor_set_in=${SNUG_FDS_DIR}/tfs.fds DEPENDS ${SNUG_FDS_DIR}/tfs.fds
    FILES ${tfs_closure})
  snug_proto_library(snug_tfs_flags
    INPUT -I${CMAKE_SOURCE_DIR}/src/server
    DEPENDS ${CMAKE_SOURCE_DIR}/src/server/tfs_flags.proto
    FILES tfs_flags.proto)
endif()
