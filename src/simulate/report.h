// Runs as JSON or as a table.
#pragma once

#include <string>
#include <vector>

#include "simulate/alloc.h"
#include "simulate/cards.h"
#include "simulate/load.h"
#include "simulate/queue.h"

namespace snug::simulate {

std::string Json(const std::vector<AllocRun>& runs);
std::string Json(const std::vector<CardsRun>& runs);
std::string Json(const std::vector<LoadRun>& runs);
std::string Json(const std::vector<QueueRun>& runs);

std::string Table(const std::vector<AllocRun>& runs);
std::string Table(const std::vector<CardsRun>& runs);
std::string Table(const std::vector<LoadRun>& runs);
std::string Table(const std::vector<QueueRun>& runs);

}  // namespace snug::simulate
