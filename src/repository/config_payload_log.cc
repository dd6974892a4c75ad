#include "repository/config_sections.h"
#include "repository/limits.h"

namespace snug::repository {

Result<PayloadLogConfig> ReadPayloadLog(const Origin& origin, const YAML::Node& node) {
  PayloadLogConfig log;
  SNUG_RETURN_IF_ERROR(
      ReadFields(origin, "payload_log", node,
                 {NumberField(origin, "payload_log", "rate", 0, 1, log.rate),
                  IntField(origin, "payload_log", "mib_max", kPayloadLogMibMax, log.mib_max)}));
  return log;
}

}  // namespace snug::repository
