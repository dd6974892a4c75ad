// Serialized envoy.config.cluster.v3.Cluster messages without a name, encoded from templates/*.textproto when
// Snug is built (embed_templates.cmake), so that no file has to be found at run time.
#pragma once

#include <string_view>

namespace snug::routing {

extern const std::string_view kGrpcClusterTemplate;
extern const std::string_view kRestClusterTemplate;

}  // namespace snug::routing
