// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/listeners.h"

#include <algorithm>
#include <map>

#include "common/base/text.h"

namespace node::preflight {

namespace {

constexpr std::string_view kListening = "0A";  // TCP_LISTEN

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (const std::string_view word : base::split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

void read_table(const Tree& tree, std::string_view path, std::map<std::uint16_t, Listener>& found) {
  const std::string text = tree.text(path).value_or("");
  for (const std::string_view line : base::split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() < 10 || words[3] != kListening) continue;
    const std::size_t colon = words[1].rfind(':');
    if (colon == std::string_view::npos) continue;
    const auto bytes = base::from_hex(words[1].substr(colon + 1));
    const auto inode = base::parse_int(words[9], 0, INT64_MAX);
    if (!bytes || bytes->size() != 2 || !inode) continue;
    const auto port = static_cast<std::uint16_t>(static_cast<unsigned char>((*bytes)[0]) * 256 +
                                                 static_cast<unsigned char>((*bytes)[1]));
    found.try_emplace(port, Listener{port, static_cast<std::uint64_t>(*inode), 0, "", ""});
  }
}

std::string unit_of(const Tree& tree, const std::string& pid) {
  const std::string text = tree.text("/proc/" + pid + "/cgroup").value_or("");
  for (const std::string_view line : base::split(text, '\n')) {
    const std::string_view last = line.substr(line.rfind('/') + 1);
    if (last.ends_with(".service") || last.ends_with(".scope")) return std::string(last);
  }
  return {};
}

}  // namespace

std::vector<Listener> list_listeners(const Tree& tree) {
  std::map<std::uint16_t, Listener> by_port;
  read_table(tree, "/proc/net/tcp", by_port);
  read_table(tree, "/proc/net/tcp6", by_port);
  std::map<std::string, std::vector<Listener*>> by_socket;
  for (auto& [port, listener] : by_port) {
    by_socket["socket:[" + std::to_string(listener.inode) + "]"].push_back(&listener);
  }
  for (const std::string& pid : tree.names("/proc")) {
    const auto number = base::parse_int(pid, 1, INT32_MAX);
    if (!number) continue;
    const std::string folder = "/proc/" + pid + "/fd";
    for (const std::string& descriptor : tree.names(folder)) {
      const auto held = by_socket.find(tree.link(folder + "/" + descriptor).value_or(""));
      if (held == by_socket.end()) continue;
      for (Listener* listener : held->second) {
        if (listener->pid != 0) continue;
        listener->pid = static_cast<int>(*number);
        listener->process = tree.text("/proc/" + pid + "/comm").value_or("");
        listener->unit = unit_of(tree, pid);
      }
    }
  }
  std::vector<Listener> listeners;
  for (auto& [port, listener] : by_port) listeners.push_back(std::move(listener));
  return listeners;
}

bool is_ours(const Listener& listener) {
  const std::string& unit = listener.unit;
  // A process name holds 15 characters at most.
  return unit.starts_with("gestalt-") || unit.starts_with("gst-") ||
         listener.process.starts_with("gestalt-") || listener.process == "haproxy" ||
         unit.starts_with("zookeeper") || unit.starts_with("kafka") ||
         unit.starts_with("postgresql");
}

}  // namespace node::preflight
