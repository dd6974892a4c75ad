#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/log.h"
#include "cli/commands.h"

extern char** environ;

namespace {

std::map<std::string, std::string> Environment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string text = *entry;
    size_t equals = text.find('=');
    if (equals != std::string::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);  // of sockets; a closed standard output shows as a failed stream
  snug::log::Init("snug");
  snug::cli::Terminal terminal{std::cout, std::cerr, std::cin, ::isatty(1) == 1, ::isatty(2) == 1};
  return snug::cli::Run(std::vector<std::string>(argv + 1, argv + argc), Environment(), terminal);
}
