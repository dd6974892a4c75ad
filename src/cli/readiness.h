// Whether a platform that was started can be used, judged by what its controller says.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace snug::cli {

struct Readiness {
  bool platform = false;  // the API answers and the front door runs
  bool models = false;    // none is on its way any more
  std::string text;       // what is being waited for, for people
};
// `status` as GET /api/v1/status answers it.
Readiness JudgeStatus(const nlohmann::json& status);

}  // namespace snug::cli
