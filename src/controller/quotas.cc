#include "controller/quotas.h"

#include <charconv>

namespace snug::controller {
namespace {

Status AddQuota(std::string_view entry, std::map<std::string, double>* quotas) {
  size_t equals = entry.find('=');
  std::string_view department = entry.substr(0, equals);
  std::string_view number = equals == std::string_view::npos ? "" : entry.substr(equals + 1);
  double cards = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), cards);
  bool is_number = error == std::errc() && end == number.data() + number.size();
  if (department.empty() || !is_number || !(cards >= 0 && cards <= kQuotaCardsMax)) {
    return InvalidArgument(
        "quota \"{}\": expected DEPARTMENT=CARDS with 0 to {} cards, such as cars=4,homes=2.5", entry,
        kQuotaCardsMax);
  }
  if (quotas->size() == kQuotasMax) return InvalidArgument("more than {} quotas", kQuotasMax);
  if (quotas->emplace(department, cards).second) return {};
  return InvalidArgument("quota \"{}\": the department has one already", entry);
}

}  // namespace

Result<std::map<std::string, double>> ParseQuotas(std::string_view text) {
  std::map<std::string, double> quotas;
  while (!text.empty()) {
    size_t comma = text.find(',');
    SNUG_RETURN_IF_ERROR(AddQuota(text.substr(0, comma), &quotas));
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return quotas;
}

}  // namespace snug::controller
