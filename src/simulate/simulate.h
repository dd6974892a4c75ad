// `snug simulate …`: replays traces through the placement that the controller uses. docs/simulate.md is its
// manual.
#pragma once

namespace snug::simulate {

// Parses argv (argv[0] is the program's name for the help text), runs, prints to stdout; problems go to
// stderr as one line. Returns the exit status: 0, 1 for a failed run, 2 for wrong flags.
int SimulateMain(int argc, const char* const* argv);

}  // namespace snug::simulate
