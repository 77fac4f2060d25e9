// SPDX-License-Identifier: Apache-2.0
#include "common/rest/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "common/base/check.h"
#include "common/base/config.h"
#include "common/base/text.h"

namespace rest {

namespace {

// Text format 0.0.4: help escapes '\' and line ends, label values the double quote as well.
std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string format_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char text[40];
  const bool whole = std::abs(value) < 1e15 && std::floor(value) == value;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", value);
  return text;
}

// A bound as people write it: 0.005, not 0.0050000000000000001.
std::string format_bound(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string format_labels(const Labels& labels, std::string_view extra = {}) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? "{" : ",";
    out += name + "=\"" + escape(value, true) + '"';
  }
  if (!extra.empty()) {
    out += out.empty() ? "{" : ",";
    out += extra;
  }
  return out.empty() ? out : out + '}';
}

bool is_name(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == ':';
         });
}

constexpr double kSecondsBounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                     0.5,   1,      2.5,   5,    10,    30,   60};

struct ProcessFigures {
  double resident_bytes = 0;
  double open_fds = 0;
  double start_seconds = 0;
};

// Field `index` (from 1) of /proc/self/stat; the command in brackets may hold spaces itself.
double stat_field(const std::string& stat, std::size_t index) {
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string::npos || bracket + 2 > stat.size()) return 0;
  const auto fields = base::split(std::string_view(stat).substr(bracket + 2), ' ');
  if (fields.size() < index - 2) return 0;
  return static_cast<double>(base::parse_int(fields[index - 3], 0, INT64_MAX).value_or(0));
}

double boot_seconds() {
  const std::string stat = base::read_file("/proc/stat").value_or("");
  const std::size_t at = stat.find("\nbtime ");
  if (at == std::string::npos) return 0;
  const std::string_view line = std::string_view(stat).substr(at + 7);
  const auto seconds = base::parse_int(line.substr(0, line.find('\n')), 0, INT64_MAX);
  return seconds ? static_cast<double>(*seconds) : 0;
}

// Figures that cannot be read are 0; a metric must not fail a scrape. Source: proc(5).
ProcessFigures read_process() {
  ProcessFigures figures;
  const std::string stat = base::read_file("/proc/self/stat").value_or("");
  figures.resident_bytes = stat_field(stat, 24) * static_cast<double>(sysconf(_SC_PAGESIZE));
  figures.start_seconds =
      boot_seconds() + stat_field(stat, 22) / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::error_code ignored;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    ++figures.open_fds;
  }
  if (figures.open_fds > 0) --figures.open_fds;  // the one that lists the folder
  return figures;
}

void render_gauge(std::string& out, std::string_view name, std::string_view help, double value) {
  out += "# HELP " + std::string(name) + ' ' + std::string(help) + "\n# TYPE " + std::string(name) +
         " gauge\n" + std::string(name) + ' ' + format_number(value) + '\n';
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {
  CHECK_THAT(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::observe(double value) {
  const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::pair<double, std::uint64_t>> Histogram::buckets() const {
  std::vector<std::pair<double, std::uint64_t>> out;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    out.emplace_back(i < bounds_.size() ? bounds_[i] : INFINITY, total);
  }
  return out;
}

double Histogram::sum() const { return sum_.load(std::memory_order_relaxed); }
std::uint64_t Histogram::count() const { return buckets().back().second; }

struct Metrics::Family {
  std::string help;
  std::string type;
  std::map<Labels, Counter> counters;
  std::map<Labels, Gauge> gauges;
  std::map<Labels, Histogram> histograms;
};

void Metrics::FamilyDeleter::operator()(Family* family) const noexcept { delete family; }

Metrics::Family& Metrics::family(const std::string& name, const std::string& help,
                                 std::string_view type) {
  CHECK_THAT(is_name(name));
  auto& slot = families_[name];
  if (!slot) {
    slot.reset(new Family);
    slot->help = help;
    slot->type = type;
  }
  CHECK_THAT(slot->type == type);
  return *slot;
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return family(name, help, "counter").counters[labels];
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  return family(name, help, "gauge").gauges[labels];
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              const Labels& labels, std::vector<double> bounds) {
  const std::lock_guard lock(mutex_);
  if (bounds.empty()) bounds.assign(std::begin(kSecondsBounds), std::end(kSecondsBounds));
  return family(name, help, "histogram")
      .histograms.try_emplace(labels, std::move(bounds))
      .first->second;
}

void Metrics::on_render(std::function<void()> refresh) {
  const std::lock_guard lock(mutex_);
  refreshers_.push_back(std::move(refresh));
}

namespace {

void render_histogram(std::string& out, const std::string& name, const Labels& labels,
                      const Histogram& histogram) {
  // One reading of the buckets, so that +Inf and _count agree while others observe.
  const auto buckets = histogram.buckets();
  for (const auto& [bound, count] : buckets) {
    const std::string le = std::isinf(bound) ? "+Inf" : format_bound(bound);
    out += name + "_bucket" + format_labels(labels, "le=\"" + le + '"') + ' ' +
           std::to_string(count) + '\n';
  }
  out += name + "_sum" + format_labels(labels) + ' ' + format_number(histogram.sum()) + '\n';
  out +=
      name + "_count" + format_labels(labels) + ' ' + std::to_string(buckets.back().second) + '\n';
}

}  // namespace

std::string Metrics::render() {
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard lock(mutex_);
    refreshers = refreshers_;
  }
  // Outside the lock: a refresher may register what it sets.
  for (const auto& refresh : refreshers) refresh();

  std::string out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    out += "# HELP " + name + ' ' + escape(family->help, false) + "\n# TYPE " + name + ' ' +
           family->type + '\n';
    for (const auto& [labels, counter] : family->counters) {
      out += name + format_labels(labels) + ' ' + format_number(counter.value()) + '\n';
    }
    for (const auto& [labels, gauge] : family->gauges) {
      out += name + format_labels(labels) + ' ' + format_number(gauge.value()) + '\n';
    }
    for (const auto& [labels, histogram] : family->histograms) {
      render_histogram(out, name, labels, histogram);
    }
  }
  const ProcessFigures process = read_process();
  render_gauge(out, "process_open_fds", "Open file descriptors.", process.open_fds);
  render_gauge(out, "process_resident_memory_bytes", "Resident memory.", process.resident_bytes);
  render_gauge(out, "process_start_time_seconds", "Start of the process since 1970.",
               process.start_seconds);
  return out;
}

}  // namespace rest
