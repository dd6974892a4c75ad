#include "serving/state.h"

namespace snug::serving {

std::string_view StateName(State state) {
  switch (state) {
    case State::kStandby:
      return "STANDBY";
    case State::kLoading:
      return "LOADING";
    case State::kReady:
      return "READY";
    case State::kUnloading:
      return "UNLOADING";
    case State::kUnavailable:
      return "UNAVAILABLE";
  }
  return "UNAVAILABLE";
}

}  // namespace snug::serving
