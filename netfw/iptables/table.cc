// SPDX-License-Identifier: GPL-2.0-only
#include "netfw/iptables/table.h"

#include <errno.h>
#include <libiptc/libiptc.h>
#include <string.h>
extern "C" {  // libip6tc.h has no guard of its own
#include <libiptc/libip6tc.h>
}

#include "netfw/iptables/entry.h"

namespace netfw::iptc {
namespace {

struct Ipv4 {
  using Entry = ipt_entry;
  static constexpr int kFamily = 4;
  static xtc_handle* init() { return iptc_init("filter"); }
  static void free(xtc_handle* h) { iptc_free(h); }
  static const char* first_chain(xtc_handle* h) { return iptc_first_chain(h); }
  static const char* next_chain(xtc_handle* h) { return iptc_next_chain(h); }
  static const Entry* first_rule(const char* c, xtc_handle* h) { return iptc_first_rule(c, h); }
  static const Entry* next_rule(const Entry* e, xtc_handle* h) { return iptc_next_rule(e, h); }
  static const char* target(const Entry* e, xtc_handle* h) { return iptc_get_target(e, h); }
  static const char* policy(const char* c, xt_counters* n, xtc_handle* h) {
    return iptc_get_policy(c, n, h);
  }
  static bool builtin(const char* c, xtc_handle* h) { return iptc_builtin(c, h) != 0; }
  static bool is_chain(const char* c, xtc_handle* h) { return iptc_is_chain(c, h) != 0; }
  static int create(const char* c, xtc_handle* h) { return iptc_create_chain(c, h); }
  static int flush(const char* c, xtc_handle* h) { return iptc_flush_entries(c, h); }
  static int drop_chain(const char* c, xtc_handle* h) { return iptc_delete_chain(c, h); }
  static int append(const char* c, const Entry* e, xtc_handle* h) {
    return iptc_append_entry(c, e, h);
  }
  static int insert(const char* c, const Entry* e, xtc_handle* h) {
    return iptc_insert_entry(c, e, 0, h);
  }
  static int drop_rule(const char* c, unsigned n, xtc_handle* h) {
    return iptc_delete_num_entry(c, n, h);
  }
  static int commit(xtc_handle* h) { return iptc_commit(h); }
  static std::string head(const Entry& e) {
    return std::string(reinterpret_cast<const char*>(&e.ip), sizeof e.ip);
  }
};

struct Ipv6 {
  using Entry = ip6t_entry;
  static constexpr int kFamily = 6;
  static xtc_handle* init() { return ip6tc_init("filter"); }
  static void free(xtc_handle* h) { ip6tc_free(h); }
  static const char* first_chain(xtc_handle* h) { return ip6tc_first_chain(h); }
  static const char* next_chain(xtc_handle* h) { return ip6tc_next_chain(h); }
  static const Entry* first_rule(const char* c, xtc_handle* h) { return ip6tc_first_rule(c, h); }
  static const Entry* next_rule(const Entry* e, xtc_handle* h) { return ip6tc_next_rule(e, h); }
  static const char* target(const Entry* e, xtc_handle* h) { return ip6tc_get_target(e, h); }
  static const char* policy(const char* c, xt_counters* n, xtc_handle* h) {
    return ip6tc_get_policy(c, n, h);
  }
  static bool builtin(const char* c, xtc_handle* h) { return ip6tc_builtin(c, h) != 0; }
  static bool is_chain(const char* c, xtc_handle* h) { return ip6tc_is_chain(c, h) != 0; }
  static int create(const char* c, xtc_handle* h) { return ip6tc_create_chain(c, h); }
  static int flush(const char* c, xtc_handle* h) { return ip6tc_flush_entries(c, h); }
  static int drop_chain(const char* c, xtc_handle* h) { return ip6tc_delete_chain(c, h); }
  static int append(const char* c, const Entry* e, xtc_handle* h) {
    return ip6tc_append_entry(c, e, h);
  }
  static int insert(const char* c, const Entry* e, xtc_handle* h) {
    return ip6tc_insert_entry(c, e, 0, h);
  }
  static int drop_rule(const char* c, unsigned n, xtc_handle* h) {
    return ip6tc_delete_num_entry(c, n, h);
  }
  static int commit(xtc_handle* h) { return ip6tc_commit(h); }
  static std::string head(const Entry& e) {
    return std::string(reinterpret_cast<const char*>(&e.ipv6), sizeof e.ipv6);
  }
};

bool is_own(const char* chain) { return strncmp(chain, kOwnPrefix, sizeof kOwnPrefix - 1) == 0; }

template <class Api>
class FamilyTable final : public Table {
 public:
  using Entry = typename Api::Entry;
  explicit FamilyTable(xtc_handle* handle) : handle_(handle) {}
  ~FamilyTable() override { Api::free(handle_); }

  std::string foreign() const override {
    std::string out;
    visit_foreign([&](const std::string& text) { out += text; }, [](const std::string&) {});
    return out;
  }

  unsigned foreign_rules() const override {
    unsigned count = 0;
    visit_foreign([](const std::string&) {}, [&](const std::string&) { ++count; });
    return count;
  }

  bool has_own() const override {
    for (const char* c = Api::first_chain(handle_); c != nullptr; c = Api::next_chain(handle_)) {
      if (is_own(c)) return true;
    }
    return false;
  }

  bool matches(const OwnChain& chain) const override {
    if (!Api::is_chain(chain.name, handle_)) return false;
    const Entry* rule = Api::first_rule(chain.name, handle_);
    for (const std::vector<char>& wanted : chain.entries) {
      if (rule == nullptr || text_of(*rule) != text_of_new(wanted)) return false;
      rule = Api::next_rule(rule, handle_);
    }
    if (rule != nullptr) return false;
    const std::string jump = text_of_new(build_jump(Api::kFamily, chain.name));
    unsigned jumps = 0;
    bool first_is_jump = false;
    unsigned position = 0;
    for (rule = Api::first_rule(chain.builtin, handle_); rule != nullptr;
         rule = Api::next_rule(rule, handle_), ++position) {
      if (strcmp(Api::target(rule, handle_), chain.name) != 0) continue;
      ++jumps;
      if (position == 0) first_is_jump = text_of(*rule) == jump;
    }
    return jumps == 1 && first_is_jump;
  }

  int replace(const OwnChain& chain) override {
    if (!Api::is_chain(chain.name, handle_) && Api::create(chain.name, handle_) == 0) return errno;
    if (Api::flush(chain.name, handle_) == 0) return errno;
    for (const std::vector<char>& entry : chain.entries) {
      if (Api::append(chain.name, cast(entry), handle_) == 0) return errno;
    }
    if (const int error = drop_jumps(chain.builtin); error != 0) return error;
    const std::vector<char> jump = build_jump(Api::kFamily, chain.name);
    return Api::insert(chain.builtin, cast(jump), handle_) == 0 ? errno : 0;
  }

  int remove_own() override {
    std::vector<std::string> builtins;
    std::vector<std::string> own;
    for (const char* c = Api::first_chain(handle_); c != nullptr; c = Api::next_chain(handle_)) {
      if (is_own(c)) own.emplace_back(c);
      if (Api::builtin(c, handle_)) builtins.emplace_back(c);
    }
    for (const std::string& chain : builtins) {
      if (const int error = drop_jumps(chain.c_str()); error != 0) return error;
    }
    for (const std::string& chain : own) {
      if (Api::flush(chain.c_str(), handle_) == 0) return errno;
    }
    for (const std::string& chain : own) {
      if (Api::drop_chain(chain.c_str(), handle_) == 0) return errno;
    }
    return 0;
  }

  int commit() override { return Api::commit(handle_) == 0 ? errno : 0; }

 private:
  static const Entry* cast(const std::vector<char>& bytes) {
    return reinterpret_cast<const Entry*>(bytes.data());
  }

  // Counters, cache flags and offsets of jumps are not part of a rule's meaning. Neither is what
  // stands behind the end of an extension's name: the kernel leaves those bytes as they were.
  static std::string extension(const char* name, std::uint8_t revision, const char* data,
                               std::size_t size) {
    std::string out = std::string(name) + '\0' + static_cast<char>(revision);
    out.append(data, size);
    return out;
  }

  static std::string text(const Entry& entry, const std::string& target) {
    const char* const bytes = reinterpret_cast<const char*>(&entry);
    std::string out = Api::head(entry);
    for (std::size_t at = sizeof(Entry); at + sizeof(xt_entry_match) <= entry.target_offset;) {
      const auto* const match = reinterpret_cast<const xt_entry_match*>(bytes + at);
      const std::size_t size = match->u.match_size;
      if (size < sizeof *match || at + size > entry.target_offset) break;
      out += extension(match->u.user.name, match->u.user.revision, bytes + at + sizeof *match,
                       size - sizeof *match);
      at += size;
    }
    return out + '\0' + target;
  }

  std::string text_of(const Entry& entry) const {
    return text(entry, Api::target(&entry, handle_));
  }

  static std::string text_of_new(const std::vector<char>& bytes) {
    const Entry& entry = *cast(bytes);
    const auto* const raw =
        reinterpret_cast<const xt_entry_target*>(bytes.data() + entry.target_offset);
    return text(entry, raw->u.user.name);
  }

  std::string foreign_text(const Entry& entry) const {
    const char* const bytes = reinterpret_cast<const char*>(&entry);
    const auto* const raw = reinterpret_cast<const xt_entry_target*>(bytes + entry.target_offset);
    std::string out = text_of(entry);
    // A standard target has no name when it is read back; one of an extension has a name and data.
    if (raw->u.user.name[0] != 0 && raw->u.target_size >= sizeof *raw) {
      out += extension(raw->u.user.name, raw->u.user.revision,
                       bytes + entry.target_offset + sizeof *raw, raw->u.target_size - sizeof *raw);
    }
    return out;
  }

  template <class OnText, class OnRule>
  void visit_foreign(OnText on_text, OnRule on_rule) const {
    for (const char* c = Api::first_chain(handle_); c != nullptr; c = Api::next_chain(handle_)) {
      if (is_own(c)) continue;
      on_text(std::string("\nchain ") + c);
      if (Api::builtin(c, handle_)) {
        xt_counters counters = {};
        const char* const policy = Api::policy(c, &counters, handle_);
        on_text(std::string(" ") + (policy != nullptr ? policy : "?"));
      }
      for (const Entry* rule = Api::first_rule(c, handle_); rule != nullptr;
           rule = Api::next_rule(rule, handle_)) {
        if (is_own(Api::target(rule, handle_))) continue;
        const std::string rule_text = "\nrule " + foreign_text(*rule);
        on_text(rule_text);
        on_rule(rule_text);
      }
    }
  }

  int drop_jumps(const char* builtin) {
    for (bool again = true; again;) {
      again = false;
      unsigned position = 0;
      for (const Entry* rule = Api::first_rule(builtin, handle_); rule != nullptr;
           rule = Api::next_rule(rule, handle_), ++position) {
        if (!is_own(Api::target(rule, handle_))) continue;
        if (Api::drop_rule(builtin, position, handle_) == 0) return errno;
        again = true;  // the walk is not valid after a change
        break;
      }
    }
    return 0;
  }

  xtc_handle* handle_;
};

template <class Api>
int open_table(std::unique_ptr<Table>& out) {
  xtc_handle* const handle = Api::init();
  if (handle == nullptr) return errno != 0 ? errno : EIO;
  out = std::make_unique<FamilyTable<Api>>(handle);
  return 0;
}

}  // namespace

int Table::open(int family, std::unique_ptr<Table>& out) {
  return family == 4 ? open_table<Ipv4>(out) : open_table<Ipv6>(out);
}

}  // namespace netfw::iptc
