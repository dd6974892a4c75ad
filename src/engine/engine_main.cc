// snug-engine: one model in a process of its own. Started by a host (EngineHost), never by hand; the
// arguments only name the model for people who look at the process list.
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "engine/engine_process.h"

int main(int argc, char**) {
  if (argc < 2 || isatty(snug::engine::kControlFd) || lseek(snug::engine::kControlFd, 0, SEEK_CUR) != -1) {
    std::fprintf(
        stderr,
        "snug-engine is started by snug-server for models with isolation: process; see docs/engines.md\n");
    return 2;
  }
  snug::log::Init("snug-engine");
  signal(SIGPIPE, SIG_IGN);
  // Not exit(): the static destructors of large libraries are slow and not always sound.
  _exit(snug::engine::RunEngineProcess(snug::engine::kControlFd));
}
