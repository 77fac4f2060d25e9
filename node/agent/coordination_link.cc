// SPDX-License-Identifier: Apache-2.0
#include "node/agent/coordination_link.h"

#include "common/base/log.h"
#include "common/sys/tls.h"

namespace node::agent {

namespace {

using coordination::Coordination;
using std::chrono::milliseconds;
using std::chrono::seconds;

base::Result<std::shared_ptr<const api::RunSpec>> read_spec(Coordination& store,
                                                            const std::string& digest) {
  auto value = TRY(store.find(api::place(api::kSpecsPath, digest)));
  if (!value) {
    return base::Error{base::Code::not_found, "no spec " + digest, "spec_absent"};
  }
  if (sys::sha256_hex(value->data) != digest) {
    return base::Error{base::Code::corrupt, "the spec is not what its name says", "spec_corrupt"};
  }
  return std::make_shared<const api::RunSpec>(TRY(api::decode_run_spec(value->data)));
}

// An error of the connection, not of what was read.
bool is_lost(const base::Error& error) {
  return error.reason == "session_expired" || error.reason == "coordination_lost";
}

}  // namespace

// What the workers use; outlives the link while a worker is busy.
struct CoordinationLink::Session {
  api::Node self;
  Open open;
  std::function<void()> changed;  // from any thread
  std::unique_ptr<Coordination> store;
  std::map<std::string, std::shared_ptr<const api::RunSpec>> specs;

  base::Result<void> connect() {
    store = TRY(open());
    store->on_session_lost([notify = changed] { notify(); });
    for (const std::string_view path :
         {api::kNodesPath, api::kLivePath, api::kAssignPath, api::kSpecsPath}) {
      TRY(coordination::ensure_path(*store, std::string(path)));
    }
    const std::string node = api::place(api::kNodesPath, self.name);
    TRY(coordination::ensure_path(*store, node));
    TRY(store->set({node, encode(self)}));
    return announce();
  }

  // The ephemeral node of an agent that was killed may still be there; it says nothing about us.
  base::Result<void> announce() {
    const std::string live = api::place(api::kLivePath, self.name);
    const auto old = TRY(store->find(live));
    std::vector<coordination::Operation> operations;
    if (old) operations.push_back(coordination::Delete{live, old->stat.version});
    operations.push_back(coordination::Create{live, "", coordination::Kind::ephemeral});
    TRY(store->multi(operations));
    return {};
  }

  base::Result<std::shared_ptr<const Wishes>> look() {
    if (!store) TRY(connect());
    auto value = TRY(store->find(api::place(api::kAssignPath, self.name), changed));
    // Absent, or made but not written yet: no wish is known.
    if (!value || value->data.empty()) return std::shared_ptr<const Wishes>();
    auto out = std::make_shared<Wishes>();
    out->assignments = TRY(api::decode_assignments(value->data));
    for (const api::Assignment& each : out->assignments.instances) {
      if (out->specs.contains(each.spec) || out->spec_errors.contains(each.spec)) continue;
      if (const auto known = specs.find(each.spec); known != specs.end()) {
        out->specs.insert(*known);
        continue;
      }
      auto spec = read_spec(*store, each.spec);
      if (spec) {
        out->specs[each.spec] = *std::move(spec);
      } else if (is_lost(spec.error())) {
        return spec.error();
      } else {
        out->spec_errors.emplace(each.spec, spec.error());
      }
    }
    specs = out->specs;
    return std::shared_ptr<const Wishes>(out);
  }

  base::Result<std::shared_ptr<const Wishes>> look_or_drop() {
    auto wishes = look();
    if (!wishes && is_lost(wishes.error())) store.reset();
    return wishes;
  }
};

CoordinationLink::CoordinationLink(Parts parts)
    : parts_(std::move(parts)),
      session_(std::make_shared<Session>()),
      self_(std::make_shared<CoordinationLink*>(this)),
      backoff_(milliseconds(100), seconds(5)) {
  session_->self = parts_.self;
  session_->open = parts_.open;
  session_->changed = [self = self_, &loop = parts_.loop] {
    loop.post([self] {
      if (*self != nullptr) (*self)->look();
    });
  };
}

CoordinationLink::~CoordinationLink() { *self_ = nullptr; }

void CoordinationLink::look() {
  retry_.reset();
  if (looking_) {
    look_again_ = true;
    return;
  }
  looking_ = true;
  auto work = [session = session_, self = self_, &loop = parts_.loop] {
    auto wishes = session->look_or_drop();
    loop.post([self, wishes = std::move(wishes)] {
      if (*self != nullptr) (*self)->finish(wishes);
    });
  };
  if (auto submitted = parts_.workers.submit(std::move(work)); !submitted) {
    finish(submitted.error());
  }
}

void CoordinationLink::finish(base::Result<std::shared_ptr<const Wishes>> wishes) {
  looking_ = false;
  if (!wishes) {
    connected_ = false;
    if (!told_away_) {
      base::log::warning("AGENT_COORDINATION_AWAY",
                         "assignments cannot be read, keeping the last ones and trying again", {},
                         wishes.error());
      told_away_ = true;
    }
    look_again_ = false;
    retry_ = parts_.loop.after(backoff_.next(), [this] { look(); });
    return;
  }
  connected_ = true;
  backoff_.reset();
  if (told_away_) base::log::notice("AGENT_COORDINATION_BACK", "assignments can be read again");
  told_away_ = false;
  if (*wishes) parts_.on_wishes(*wishes);
  if (!look_again_) return;
  look_again_ = false;
  look();
}

}  // namespace node::agent
