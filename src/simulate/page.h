// What snug simulate found as one self-contained HTML page with pictures: no script, nothing loaded from
// elsewhere, light and dark. Figures are means over the seeds; pictures of one run are of each policy's first
// seed.
#pragma once

#include <string>
#include <vector>

#include "simulate/alloc.h"
#include "simulate/cards.h"
#include "simulate/load.h"
#include "simulate/queue.h"
#include "simulate/traces.h"

namespace snug::simulate {

std::string Page(const std::vector<AllocRun>& runs);
std::string Page(const std::vector<CardsRun>& runs);
std::string Page(const std::vector<LoadRun>& runs);
std::string Page(const std::vector<QueueRun>& runs);
std::string Page(const Series& series);

}  // namespace snug::simulate
