// SPDX-License-Identifier: Apache-2.0
#include "dfs/fuse/command_line.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

namespace dfs::fuse {

using base::Code;
using base::Error;
using base::Result;

const char* const kUsage =
    "usage: gestalt-dfs-mount SERVER[:PORT][,SERVER[:PORT]...]:/VOLUME FOLDER [-o OPTIONS] [-f]\n"
    "       mount -t gestalt SERVER,SERVER,SERVER:/VOLUME FOLDER [-o OPTIONS]\n"
    "       gestalt-dfs-mount --detach FOLDER\n"
    "\n"
    "Mounts a volume of the distributed file system. SERVER is a metadata server (port 7861).\n"
    "VOLUME@SNAPSHOT is what the volume was at a snapshot, read-only.\n"
    "  -f, --foreground   do not go to the background; also under systemd\n"
    "  -o OPTIONS         comma-separated:\n"
    "       ro, rw        read-only or not\n"
    "       takeover      from now on nobody else may write to the volume: those who have it\n"
    "                     mounted get ESTALE\n"
    "       epoch=N       the volume's epoch that the caller was given; an older one is refused\n"
    "       uid_first=N   for a container whose user and group 0 to 65535 are N and more here\n"
    "       inodes=N      how many inodes are remembered (50000)\n"
    "       dirty=MIB     how much written content may wait to be sent (64)\n"
    "       private       only the user who mounts may enter\n"
    "       nosuid, nodev, noexec, noatime and the like are the kernel's, as in mount(8)\n"
    "  --detach FOLDER    takes away what a mount that was killed has left, and the empty folder\n"
    "  -h, --help         this text\n";

namespace {

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size();
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Error bad_option(std::string_view option) {
  return {Code::invalid_argument,
          "the mount option \"" + std::string(option) + "\" is not understood",
          "mount_option_invalid"};
}
Error bad_source(std::string_view source) {
  return {Code::invalid_argument,
          "\"" + std::string(source) + "\" does not look like SERVER,SERVER:/VOLUME",
          "mount_source_invalid"};
}

// For mount(8), systemd and the kernel; nothing to do for us.
bool is_for_others(std::string_view word) {
  constexpr std::array<std::string_view, 12> kIgnored = {
      "defaults", "auto",  "noauto", "nofail", "_netdev",     "user",
      "nouser",   "users", "owner",  "group",  "allow_other", "default_permissions"};
  return word.starts_with("x-") || word.starts_with("comment=") ||
         std::find(kIgnored.begin(), kIgnored.end(), word) != kIgnored.end();
}
bool is_of_kernel(std::string_view word) {
  constexpr std::array<std::string_view, 13> kPassed = {
      "suid",  "nosuid",  "dev",   "nodev",   "exec",     "noexec",    "sync",
      "async", "dirsync", "atime", "noatime", "relatime", "norelatime"};
  return std::find(kPassed.begin(), kPassed.end(), word) != kPassed.end();
}

struct OptionRow {
  std::string_view name;  // with its = when it takes a value
  bool (*take)(CommandLine&, std::string_view value);
};
constexpr std::array<OptionRow, 9> kOptions = {{
    {"ro", [](CommandLine& line, std::string_view) { return line.mount.read_only = true; }},
    {"rw",
     [](CommandLine& line, std::string_view) {
       line.mount.read_only = false;
       return true;
     }},
    {"takeover", [](CommandLine& line, std::string_view) { return line.takeover = true; }},
    {"private",
     [](CommandLine& line, std::string_view) {
       line.mount.allow_other = false;
       return true;
     }},
    {"debug",
     [](CommandLine& line, std::string_view) {
       line.debug = 1;
       return true;
     }},
    {"epoch=",
     [](CommandLine& line, std::string_view value) { return parse_number(value, line.epoch); }},
    {"uid_first=",
     [](CommandLine& line, std::string_view value) {
       return parse_number(value, line.mount.ids.first) &&
              line.mount.ids.first >= IdShift::kCount &&
              line.mount.ids.first <= UINT32_MAX - IdShift::kCount;
     }},
    {"inodes=",
     [](CommandLine& line, std::string_view value) {
       return parse_number(value, line.inodes_max) && line.inodes_max >= 100 &&
              line.inodes_max <= 10'000'000;
     }},
    {"dirty=",
     [](CommandLine& line, std::string_view value) {
       return parse_number(value, line.dirty_mib) && line.dirty_mib >= 1 && line.dirty_mib <= 4096;
     }},
}};

Result<void> take_options(CommandLine& line, std::string_view text) {
  for (const std::string_view word : split(text, ',')) {
    if (word.empty() || is_for_others(word)) continue;
    if (is_of_kernel(word)) {
      line.mount.kernel_words += "," + std::string(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const bool has_value = equals != std::string_view::npos;
    const std::string_view name = has_value ? word.substr(0, equals + 1) : word;
    const auto row = std::find_if(kOptions.begin(), kOptions.end(),
                                  [name](const OptionRow& option) { return option.name == name; });
    if (row == kOptions.end()) return bad_option(word);
    if (!row->take(line, has_value ? word.substr(equals + 1) : std::string_view()))
      return bad_option(word);
  }
  return {};
}

// A server is HOST, HOST:PORT or [IPV6]:PORT.
Result<Server> parse_server(std::string_view text, std::string_view source) {
  Server server;
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad_source(source);
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return bad_source(source);
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (host.empty()) return bad_source(source);
  if (!port.empty() && (!parse_number(port.substr(1), server.port) || server.port == 0))
    return bad_source(source);
  server.host = host;
  return server;
}

Result<void> take_source(CommandLine& line, const std::string& source) {
  const std::size_t slash = source.rfind(":/");
  if (slash == std::string::npos || slash == 0 || slash + 2 >= source.size())
    return bad_source(source);
  line.volume = source.substr(slash + 2);
  if (line.volume.find('/') != std::string::npos) return bad_source(source);
  // A snapshot.
  if (line.volume.find('@') != std::string::npos) line.mount.read_only = true;
  for (const std::string_view text : split(std::string_view(source).substr(0, slash), ','))
    line.servers.push_back(TRY(parse_server(text, source)));
  // libfuse separates its options with commas.
  line.mount.source = source;
  std::replace(line.mount.source.begin(), line.mount.source.end(), ',', '+');
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(const std::vector<std::string>& words) {
  CommandLine line;
  std::vector<std::string> places;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "-h" || word == "--help") {
      line.help = true;
      return line;
    }
    if (word == "-f" || word == "--foreground") {
      line.foreground = true;
    } else if (word == "-o" || word == "-t" || word == "-N") {
      if (++i >= words.size()) return bad_option(word);
      if (word == "-o") TRY(take_options(line, words[i]));
    } else if (word.starts_with("-o")) {
      TRY(take_options(line, std::string_view(word).substr(2)));
    } else if (word == "-s" || word == "-n" || word == "-v" || word == "-sn") {
      // mount(8) passes them to every helper.
      continue;
    } else if (word.starts_with("-")) {
      return bad_option(word);
    } else {
      places.push_back(word);
    }
  }
  if (places.size() != 2)
    return Error{Code::invalid_argument, "a source and a folder are needed",
                 "mount_source_invalid"};
  TRY(take_source(line, places[0]));
  line.mount.folder = places[1];
  return line;
}

}  // namespace dfs::fuse
