// SPDX-License-Identifier: Apache-2.0
#include "netfw/nftables/backend.h"

#include <netinet/in.h>  // before the kernel's headers, which give way to it

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>

#include "netfw/nftables/elements.h"
#include "netfw/nftables/rules.h"

namespace netfw {
namespace {

using nft::kTable;
using nft::Message;
using nft::RenderedRule;

std::string chain_name(Chain chain, Family family) {
  return std::string(chain == Chain::input ? "input" : "forward") +
         (family == Family::v4 ? "4" : "6");
}

// Our chains with their rules, those that are jumped to first.
std::vector<std::pair<std::string, std::vector<RenderedRule>>> render(const FirewallIr& ir) {
  std::vector<std::pair<std::string, std::vector<RenderedRule>>> out;
  for (const Chain chain : {Chain::input, Chain::forward}) {
    std::vector<RenderedRule> jumps;
    for (const Family family : kFamilies) {
      std::vector<RenderedRule> rules;
      for (const Rule& rule : compile_rules(family, ir.forward)) {
        if (rule.chain == chain) rules.push_back(nft::render_rule(rule, family));
      }
      const std::string name = chain_name(chain, family);
      jumps.push_back(nft::render_jump(family, name));
      out.emplace_back(name, std::move(rules));
    }
    out.emplace_back(chain == Chain::input ? "input" : "forward", std::move(jumps));
  }
  return out;
}

Message table_message(std::uint16_t type) {
  Message out{.type = type, .flags = NLM_F_CREATE, .family = NFPROTO_INET};
  out.attributes.put_text(NFTA_TABLE_NAME, kTable);
  return out;
}

Message chain_message(const std::string& name) {
  Message out{.type = NFT_MSG_NEWCHAIN, .flags = NLM_F_CREATE, .family = NFPROTO_INET};
  out.attributes.put_text(NFTA_CHAIN_TABLE, kTable);
  out.attributes.put_text(NFTA_CHAIN_NAME, name);
  if (name != "input" && name != "forward") return out;
  nft::Attributes hook;
  hook.put_u32(NFTA_HOOK_HOOKNUM, name == "input" ? NF_INET_LOCAL_IN : NF_INET_FORWARD);
  hook.put_u32(NFTA_HOOK_PRIORITY, 0);
  out.attributes.nest(NFTA_CHAIN_HOOK, hook);
  out.attributes.put_u32(NFTA_CHAIN_POLICY, NF_ACCEPT);
  out.attributes.put_text(NFTA_CHAIN_TYPE, "filter");
  return out;
}

Message flush_message(const std::string& chain) {
  Message out{.type = NFT_MSG_DELRULE, .family = NFPROTO_INET};
  out.attributes.put_text(NFTA_RULE_TABLE, kTable);
  out.attributes.put_text(NFTA_RULE_CHAIN, chain);
  return out;
}

Message rule_message(const std::string& chain, const RenderedRule& rule) {
  Message out{
      .type = NFT_MSG_NEWRULE, .flags = NLM_F_CREATE | NLM_F_APPEND, .family = NFPROTO_INET};
  out.attributes.put_text(NFTA_RULE_TABLE, kTable);
  out.attributes.put_text(NFTA_RULE_CHAIN, chain);
  out.attributes.nest(NFTA_RULE_EXPRESSIONS, rule.expressions);
  out.attributes.put(NFTA_RULE_USERDATA, rule.userdata);
  return out;
}

bool is_same_chain(const std::vector<RenderedRule>& wanted, const std::vector<std::string>& have) {
  return std::equal(wanted.begin(), wanted.end(), have.begin(), have.end(), nft::is_same_rule);
}

std::vector<std::string> set_names(SetId id) {
  std::vector<std::string> out = {nft::nft_set_name(id, Family::v4)};
  if (set_kind(id) != SetKind::ports) out.push_back(nft::nft_set_name(id, Family::v6));
  return out;
}

Message members_request(const std::string& set) {
  Message out{.type = NFT_MSG_GETSETELEM, .family = NFPROTO_INET};
  out.attributes.put_text(NFTA_SET_ELEM_LIST_TABLE, kTable);
  out.attributes.put_text(NFTA_SET_ELEM_LIST_SET, set);
  return out;
}

void append(std::vector<Message>& out, std::vector<Message> more) {
  out.insert(out.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::size_t count_elements(const std::vector<SetChange>& changes) {
  std::size_t out = 0;
  for (const SetChange& c : changes) {
    out += c.nets_removed.size() + c.nets_added.size() + c.ports_removed.size() +
           c.ports_added.size() + c.endpoints_removed.size() + c.endpoints_added.size();
  }
  return out;
}

}  // namespace

base::Result<std::unique_ptr<FwBackend>> NftablesBackend::make() {
  std::unique_ptr<NftablesBackend> out(new NftablesBackend(TRY(nft::Socket::open())));
  const auto seen = out->read();
  if (!seen) {
    return base::Error{.code = base::Code::unsupported,
                       .detail = base::to_string(seen.error()),
                       .reason = "firewall_unsupported",
                       .os_errno = seen.error().os_errno};
  }
  return std::unique_ptr<FwBackend>(std::move(out));
}

base::Result<NftablesBackend::Observed> NftablesBackend::read() {
  Observed out;
  const auto is_ours = [](const std::map<std::uint16_t, std::string_view>& parts,
                          std::uint16_t table) {
    const auto found = parts.find(table);
    return found != parts.end() && nft::read_text(found->second) == kTable;
  };
  TRY(socket_.list({.type = NFT_MSG_GETTABLE, .family = NFPROTO_INET},
                   [&](std::string_view attributes) {
                     const auto parts = nft::parse_attributes(attributes);
                     out.table = out.table || is_ours(parts, NFTA_TABLE_NAME);
                   }));
  TRY(socket_.list({.type = NFT_MSG_GETCHAIN, .family = NFPROTO_INET},
                   [&](std::string_view attributes) {
                     auto parts = nft::parse_attributes(attributes);
                     if (!is_ours(parts, NFTA_CHAIN_TABLE)) return;
                     out.chains[std::string(nft::read_text(parts[NFTA_CHAIN_NAME]))];
                   }));
  std::size_t all = 0;
  TRY(socket_.list({.type = NFT_MSG_GETRULE, .family = NFPROTO_UNSPEC},
                   [&](std::string_view) { ++all; }));
  std::size_t own = 0;
  TRY(socket_.list({.type = NFT_MSG_GETRULE, .family = NFPROTO_INET},
                   [&](std::string_view attributes) {
                     auto parts = nft::parse_attributes(attributes);
                     if (!is_ours(parts, NFTA_RULE_TABLE)) return;
                     ++own;
                     const auto chain = nft::read_text(parts[NFTA_RULE_CHAIN]);
                     out.chains[std::string(chain)].emplace_back(parts[NFTA_RULE_EXPRESSIONS]);
                   }));
  out.foreign_rules = all - std::min(all, own);
  if (out.table) TRY(read_members(out));
  return out;
}

base::Result<void> NftablesBackend::read_members(Observed& out) {
  for (const SetId id : kSetIds) {
    for (const Family family : kFamilies) {
      const std::string name = nft::nft_set_name(id, family);
      if (set_kind(id) == SetKind::ports && family == Family::v6) continue;
      nft::ElementReader reader(id, family);
      const auto listed = socket_.list(
          members_request(name), [&](std::string_view attributes) { reader.read(attributes); });
      if (!listed && listed.error().os_errno == ENOENT) continue;
      if (!listed) return listed.error();
      out.sets[name] = true;
      reader.store(out.members);
    }
  }
  return {};
}

base::Result<FirewallSets> NftablesBackend::read_sets() {
  const Observed seen = TRY(read());
  for (const SetId id : kSetIds) {
    for (const std::string& name : set_names(id)) {
      if (seen.sets.contains(name)) continue;
      return base::Error{.code = base::Code::not_found,
                         .detail = "there is no set " + name,
                         .reason = "set_absent"};
    }
  }
  return seen.members;
}

base::Result<FirewallApplied> NftablesBackend::apply(const FirewallIr& wanted, Scope scope,
                                                     std::chrono::milliseconds) {
  const Observed seen = TRY(read());
  FirewallSets members = wanted.sets;
  if (scope == Scope::policy_sets) {
    members.instances = seen.members.instances;
    for (const SetId id : kSetIds) {
      if (is_policy_set(id) || set_kind(id) != SetKind::ports) continue;
      const auto found = seen.members.ports.find(id);
      members.ports[id] =
          found == seen.members.ports.end() ? std::set<std::uint16_t>{} : found->second;
    }
  }
  const auto chains = render(wanted);
  FirewallApplied out;
  out.foreign_rules = seen.foreign_rules;
  for (const auto& [name, rules] : chains) {
    if (name.ends_with('4') || name.ends_with('6')) out.rules += rules.size();
  }
  // All messages that turn `from` into what is wanted.
  const auto plan = [&](const Observed& from) {
    std::vector<Message> messages;
    if (!from.table) messages.push_back(table_message(NFT_MSG_NEWTABLE));
    for (const SetId id : kSetIds) {
      const auto names = set_names(id);
      const bool there = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        return from.sets.contains(name);
      });
      if (!there) append(messages, nft::make_set(id));
    }
    const auto changes = difference(from.members, members);
    out.elements_written = count_elements(changes);
    append(messages, nft::make_changes(changes));
    out.rules_written = false;
    for (const auto& [name, rules] : chains) {
      const auto there = from.chains.find(name);
      if (there == from.chains.end()) messages.push_back(chain_message(name));
      if (there != from.chains.end() && is_same_chain(rules, there->second)) continue;
      if (there != from.chains.end()) messages.push_back(flush_message(name));
      for (const RenderedRule& rule : rules) messages.push_back(rule_message(name, rule));
      out.rules_written = out.rules_written || there != from.chains.end() || !rules.empty();
    }
    return messages;
  };
  if (socket_.commit(plan(seen))) return out;
  // Somebody made of our table what cannot be changed step by step.
  std::vector<Message> messages;
  if (seen.table) messages.push_back(table_message(NFT_MSG_DELTABLE));
  append(messages, plan(Observed{}));
  TRY(socket_.commit(messages));
  return out;
}

base::Result<void> NftablesBackend::change(const std::vector<SetChange>& changes) {
  auto done = socket_.commit(nft::make_changes(changes));
  if (done || done.error().os_errno != ENOENT) return done;
  // A member that is gone already is no error, but the kernel refuses the whole for it.
  const FirewallSets seen = TRY(read_sets());
  std::vector<SetChange> rest = changes;
  for (SetChange& c : rest) {
    const auto nets = seen.nets.find(c.id);
    const auto ports = seen.ports.find(c.id);
    std::erase_if(c.nets_removed, [&](const IpNet& net) {
      return nets == seen.nets.end() || !nets->second.contains(net);
    });
    std::erase_if(c.ports_removed, [&](std::uint16_t port) {
      return ports == seen.ports.end() || !ports->second.contains(port);
    });
    std::erase_if(c.endpoints_removed,
                  [&](const Endpoint& endpoint) { return !seen.instances.contains(endpoint); });
  }
  return socket_.commit(nft::make_changes(rest));
}

base::Result<void> NftablesBackend::remove() {
  const Observed seen = TRY(read());
  if (!seen.table) return {};
  return socket_.commit({table_message(NFT_MSG_DELTABLE)});
}

}  // namespace netfw
