#include "base/clock.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/json_access.h"
#include "cli/model_call.h"
#include "cli/model_metadata.h"

namespace snug::cli {
namespace {

void PrintAnswer(const Session& session, const std::string& body, bool infer) {
  std::ostream& out = session.terminal.out;
  Json json = infer && !session.globals.json ? Json::parse(body, nullptr, false) : Json();
  out << (json.is_object() ? AnswerText(json) : body);
  if (!json.is_object() && !body.ends_with('\n')) out << "\n";
}

Status Predict(const Session& session, const PredictOptions& options) {
  SNUG_ASSIGN_OR_RETURN(const ModelCall call, MakeCall(session, options));
  const TimePoint begin = SystemClock().Now();
  SNUG_ASSIGN_OR_RETURN(const std::string answer, Ask(call, options));
  const double milliseconds = Seconds(SystemClock().Now() - begin) * 1000;
  PrintAnswer(session, answer, call.payload.infer);
  if (options.time) session.terminal.err << fmt::format("answered in {:.1f} ms\n", milliseconds);
  return {};
}

}  // namespace

int RunPredict(const Session& session, const PredictOptions& options) {
  if (!HasInput(options)) return NothingToSend(session);
  Status status = Predict(session, options);
  return status.ok() ? kExitOk : Fail(session, status);
}

}  // namespace snug::cli
