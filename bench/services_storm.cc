// SPDX-License-Identifier: Apache-2.0
// Many callers on a whole host with a store on disk: what `./dev show services-properties` kills at
// random moments. The service is the sample one, security the fake; store, pipeline, outbox, audit,
// tasks and the sink's file are the real ones.
//
//   services-storm run FOLDER            creates notes and tasks until it is killed; each one that
//   was
//                                        acknowledged is in FOLDER/acks
//   services-storm check FOLDER          starts again, lets everything come to rest and compares;
//                                        JSON; status 1 when anything diverges
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/sys/event_loop.h"
#include "common/sys/handle.h"
#include "common/sys/loop_timers.h"
#include "common/sys/shared_file.h"
#include "services/audit/service.h"
#include "services/framework/running_host.h"
#include "services/task/service.h"
#include "tests/support/services/fake_security.h"
#include "tests/support/services/notes.h"

namespace {

using namespace services;
using base::Json;
using base::Result;

constexpr int kStormThreads = 8;
constexpr std::chrono::seconds kRestSeconds{60};
constexpr const char* kNotes = "notes.notes";

// A durable event log as simple as one can be: a line per event.
class FileSink final : public EventSink {
 public:
  explicit FileSink(const std::string& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  Result<void> append(std::span<const Event> events) override {
    std::string text;
    for (const Event& event : events) {
      text += std::to_string(event.sequence) + " " + event.id + " " + event.name + " " +
              Json::parse(event.payload).value("id", "-") + "\n";
    }
    if (::write(fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fdatasync(fd_.get()) != 0) {
      return base::os_error(errno, "append events");
    }
    return {};
  }

 private:
  sys::Fd fd_;
};

struct World {
  explicit World(std::string at, std::size_t threads)
      : folder(std::move(at)), sink(folder + "/events") {
    std::vector<std::unique_ptr<Service>> all;
    all.push_back(*audit::make_audit(Json::object()));
    all.push_back(*task::make_task(Json::object()));
    all.push_back(std::make_unique<test::Notes>());
    audit = static_cast<audit::AuditService*>(all[0].get());
    loop = *sys::EventLoop::make();
    timers = std::make_unique<sys::LoopTimers>(*loop);
    store = *store::open_lmdb(folder + "/store",
                              {.collections = collections_of(all), .changes_kept = 10'000});
    workers = std::make_unique<sys::WorkerPool>(sys::WorkerPool::Limits{.threads = threads});
    host = *RunningHost::make(
        {*store, base::system_clock(), base::system_rng(), *timers, *workers, metrics, folder,
         [this](std::function<void()> work) { loop->post(std::move(work)); }},
        std::move(all), {});
    security.granted = {"alice/*"};
    host->provide(static_cast<Identity&>(security));
    host->provide(static_cast<Orgs&>(security));
    host->provide(Access::Kind::right, security);
    host->provide(sink);
    *host->start();
  }
  ~World() {
    host->stop();
    workers.reset();
  }
  rest::Response send(rest::Method method, std::string path, std::string body) {
    rest::Request request;
    request.method = method;
    request.path = std::move(path);
    request.body = std::move(body);
    request.headers["authorization"] = "Bearer alice";
    return host->handle(request);
  }

  const std::string folder;
  FileSink sink;
  test::FakeSecurity security;
  audit::AuditService* audit = nullptr;
  std::unique_ptr<sys::EventLoop> loop;
  std::unique_ptr<sys::LoopTimers> timers;
  rest::Metrics metrics;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<sys::WorkerPool> workers;
  std::unique_ptr<RunningHost> host;
};

int run(const std::string& folder) {
  World world(folder, 16);
  const sys::Fd acks(
      ::open((folder + "/acks").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  std::vector<std::thread> threads;
  for (int i = 0; i < kStormThreads; ++i) {
    threads.emplace_back([&world, &acks, i] {
      for (int n = 0;; ++n) {
        const bool is_task = (n + i) % 5 == 0;
        const rest::Response reply = world.send(
            rest::Method::post, is_task ? "/notes/acme/publications" : "/notes/acme/notes",
            R"({"text":"storm"})");
        if (reply.status != (is_task ? 202 : 201)) std::abort();
        const Json made = Json::parse(reply.body);
        const std::string line = is_task ? "task " + made["uuid"].get<std::string>() + "\n"
                                         : "note " + made["id"].get<std::string>() + "\n";
        if (::write(acks.get(), line.data(), line.size()) < 0) std::abort();
      }
    });
  }
  static_cast<void>(world.loop->run());  // until the end by force
  return 1;
}

// What is in the folder after everything has come to rest.
struct Findings {
  std::set<std::string> acked_notes, acked_tasks, notes, told, audited, tasks, open_tasks;
  std::size_t repeated = 0, out_of_order = 0, outbox = 0, records = 0;
  std::string chain = "whole";
};

Result<void> read_store(store::Reader& reader, Findings& found) {
  for (const char* collection : {kNotes, "framework.tasks"}) {
    store::Range range{.limit = 1000};
    for (;;) {
      const auto records = TRY(reader.list(collection, range));
      for (const store::Record& record : records) {
        if (collection == kNotes) {
          found.notes.insert(record.key.substr(record.key.find('/') + 1));
          continue;
        }
        found.tasks.insert(record.key);
        const TaskRow task = TRY(parse_task(record));
        if (!task.has_ended()) found.open_tasks.insert(record.key);
      }
      if (records.size() < range.limit) break;
      range.after = records.back().key;
    }
  }
  found.outbox = TRY(reader.list(kOutbox, {})).size();
  return {};
}

void read_events(const std::string& path, Findings& found) {
  std::ifstream in(path);
  std::set<std::string> ids;
  std::uint64_t last = 0;
  std::uint64_t sequence = 0;
  for (std::string id, name, note; in >> sequence >> id >> name >> note;) {
    if (!ids.insert(id).second) {
      ++found.repeated;
      continue;
    }
    if (sequence < last) ++found.out_of_order;
    last = sequence;
    if (name == "notes.note.created") found.told.insert(note);
  }
}

void read_audit(World& world, Findings& found) {
  audit::Verifier verifier(*world.audit->log().public_key_raw());
  std::vector<std::string> lines;
  static_cast<void>(world.audit->log().each_line([&](std::string_view line) {
    const Result<void> good = verifier.take(line);
    if (!good && found.chain == "whole") found.chain = base::to_string(good.error());
    const Json json = Json::parse(line, nullptr, false);
    if (!json.contains("record")) return;
    ++found.records;
    const Json& more = json["record"].value("more", Json::object());
    if (more.contains("note")) found.audited.insert(more["note"].get<std::string>());
  }));
}

int check(const std::string& folder) {
  World world(folder, 8);
  const base::Instant end = base::system_clock().now() + kRestSeconds;
  Findings found;
  // Tasks that the crash cut off are run again; the loop turns until none is open.
  const auto look = world.loop->every(std::chrono::milliseconds(20), [&] {
    found.open_tasks.clear();
    static_cast<void>(
        world.store->read([&](store::Reader& reader) { return read_store(reader, found); }));
    if (found.open_tasks.empty() || base::system_clock().now() > end) world.loop->stop();
  });
  static_cast<void>(world.loop->run());
  const bool drained = world.host->drain().has_value();
  found.notes.clear();
  found.tasks.clear();
  static_cast<void>(
      world.store->read([&](store::Reader& reader) { return read_store(reader, found); }));
  read_events(folder + "/events", found);
  read_audit(world, found);
  std::ifstream acks(folder + "/acks");
  for (std::string kind, id; acks >> kind >> id;) {
    (kind == "note" ? found.acked_notes : found.acked_tasks).insert(id);
  }
  const auto has_all = [](const std::set<std::string>& all, const std::set<std::string>& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
  };
  const bool good = drained && has_all(found.notes, found.acked_notes) &&
                    has_all(found.tasks, found.acked_tasks) && found.notes == found.told &&
                    found.notes == found.audited && found.open_tasks.empty() && found.outbox == 0 &&
                    found.out_of_order == 0 && found.chain == "whole";
  std::printf("%s\n", Json{{"good", good},
                           {"notes", found.notes.size()},
                           {"acked", found.acked_notes.size()},
                           {"told", found.told.size()},
                           {"audited", found.audited.size()},
                           {"tasks", found.tasks.size()},
                           {"open_tasks", found.open_tasks.size()},
                           {"told_twice", found.repeated},
                           {"out_of_order", found.out_of_order},
                           {"outbox", found.outbox},
                           {"records", found.records},
                           {"chain", found.chain}}
                          .dump()
                          .c_str());
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 2 ? argv[1] : "";
  if (verb.empty()) {
    std::fprintf(stderr, "services-storm run|check FOLDER\n");
    return 2;
  }
  const std::string folder = argv[2];
  *sys::make_synced_folder(folder, 0700);
  if (verb == "run") return run(folder);
  if (verb == "check") return check(folder);
  return 2;
}
