// The frame of a command that talks to the controller.
#pragma once

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/exit_code.h"

namespace snug::cli {

// Runs `act(api)`, prints its error, gives the exit status.
template <typename Act>
int WithApi(const Session& session, const Act& act) {
  auto api = ApiClient::Create(session.globals);
  Status status = api.ok() ? act(*api) : api.status();
  return status.ok() ? kExitOk : Fail(session, status);
}

}  // namespace snug::cli
