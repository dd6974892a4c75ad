#include "cli/readiness.h"

#include "cli/json_access.h"

namespace snug::cli {
namespace {

constexpr char kFrontDoor[] = "front-door";

bool FrontDoorReady(const Json& status) {
  if (TextOf(status, "front_door").empty()) return false;
  for (const auto& process : ListOf(status, "processes")) {
    if (TextOf(process, "name") == kFrontDoor) return TextOf(process, "state") == "READY";
  }
  return true;
}

}  // namespace

Readiness JudgeStatus(const Json& status) {
  Readiness readiness;
  readiness.platform = FrontDoorReady(status);
  const Json& models = Field(status, "models");
  int64_t coming = NumberOf(models, "PENDING") + NumberOf(models, "LOADING");
  readiness.models = coming == 0;
  if (!readiness.platform) {
    readiness.text = "the front door is starting";
  } else if (!readiness.models) {
    readiness.text = std::to_string(coming) + (coming == 1 ? " model is" : " models are") + " loading";
  }
  return readiness;
}

}  // namespace snug::cli
