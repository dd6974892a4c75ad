# cmake -DOUT=cluster_templates.cc -DPROTOC=… -DFDS=xds.fds -DDIR=templates -P embed_templates.cmake
# Encodes the cluster templates (protoc checks every field against Envoy's descriptors) into a C++ source.
set(content "// Written by embed_templates.cmake.\n#include \"routing/cluster_templates.h\"\n\nnamespace snug::routing {\n\n")
foreach(pair grpc:Grpc rest:Rest)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 file)
  list(GET pair 1 name)
  execute_process(
    COMMAND ${PROTOC} --descriptor_set_in=${FDS} --deterministic_output --encode=envoy.config.cluster.v3.Cluster
    INPUT_FILE ${DIR}/${file}_cluster.textproto OUTPUT_FILE ${OUT}.${file}.bin COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${OUT}.${file}.bin bytes HEX)
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  string(REGEX MATCHALL "(\\\\x..)" all "${bytes}")
  list(LENGTH all size)
  string(APPEND content
    "extern const std::string_view k${name}ClusterTemplate;\n"
    "const std::string_view k${name}ClusterTemplate(\"${bytes}\", ${size});\n\n")
endforeach()
file(WRITE ${OUT} "${content}}  // namespace snug::routing\n")
