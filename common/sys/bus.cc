// SPDX-License-Identifier: Apache-2.0
#include "common/sys/bus.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "common/base/check.h"
#include "common/sys/bus_message.h"

namespace sys {

namespace {

constexpr const char* kSystemBus = "unix:path=/run/dbus/system_bus_socket";
constexpr std::size_t kBusCallsMax = 4096;
constexpr base::Duration kRetryFirst = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);

void close_bus(sd_bus* bus) noexcept {
  sd_bus_detach_event(bus);
  sd_bus_close(bus);
  sd_bus_unref(bus);
}

using Bus = Handle<sd_bus, close_bus>;

class SystemdManager final : public ServiceManager {
 public:
  SystemdManager(EventLoop& loop, std::string unit_prefix, Observer observer, std::string address)
      : loop_(loop),
        unit_prefix_(std::move(unit_prefix)),
        observer_(std::move(observer)),
        address_(std::move(address)) {}

  // Slots, timers and the connection go in the order that the members' release gives.
  ~SystemdManager() override = default;

  base::Result<void> connect();

  void start_transient(const std::string& unit, const std::vector<UnitProperty>& properties,
                       Done<void> done) override {
    base::Result<bus::Message> message = method("StartTransientUnit");
    base::Result<void> filled = fill(message, [&](sd_bus_message* to) -> base::Result<void> {
      TRY(bus::append_text(to, unit));
      TRY(bus::append_text(to, "fail"));
      TRY(bus::append_properties(to, properties));
      const int no_others = sd_bus_message_append(to, "a(sa(sv))", 0);
      if (no_others < 0) return bus::failure_of(no_others);
      return {};
    });
    call_for_job(std::move(message), std::move(filled), "unit_start_failed", std::move(done));
  }

  void stop(const std::string& unit, Done<void> done) override {
    unit_job("StopUnit", unit, "unit_stop_failed", forgive_unknown(std::move(done)));
  }
  void start(const std::string& unit, Done<void> done) override {
    unit_job("StartUnit", unit, "unit_start_failed", std::move(done));
  }
  void restart(const std::string& unit, Done<void> done) override {
    unit_job("RestartUnit", unit, "unit_start_failed", std::move(done));
  }
  void reload(const std::string& unit, Done<void> done) override {
    unit_job("ReloadUnit", unit, "unit_reload_failed", std::move(done));
  }

  void kill(const std::string& unit, int signal, Done<void> done) override {
    base::Result<bus::Message> message = method("KillUnit");
    base::Result<void> filled = fill(message, [&](sd_bus_message* to) -> base::Result<void> {
      TRY(bus::append_text(to, unit));
      const int rest = sd_bus_message_append(to, "si", "all", signal);
      if (rest < 0) return bus::failure_of(rest);
      return {};
    });
    call(std::move(message), std::move(filled), ignore_reply(std::move(done)));
  }

  void reset_failed(const std::string& unit, Done<void> done) override {
    base::Result<bus::Message> message = method("ResetFailedUnit");
    base::Result<void> filled =
        fill(message, [&](sd_bus_message* to) { return bus::append_text(to, unit); });
    call(std::move(message), std::move(filled), ignore_reply(forgive_unknown(std::move(done))));
  }

  void set_properties(const std::string& unit, const std::vector<UnitProperty>& properties,
                      Done<void> done) override {
    base::Result<bus::Message> message = method("SetUnitProperties");
    base::Result<void> filled = fill(message, [&](sd_bus_message* to) -> base::Result<void> {
      TRY(bus::append_text(to, unit));
      const int runtime_only = sd_bus_message_append(to, "b", 1);
      if (runtime_only < 0) return bus::failure_of(runtime_only);
      return bus::append_properties(to, properties);
    });
    call(std::move(message), std::move(filled), ignore_reply(std::move(done)));
  }

  void list(const std::string& glob, Done<std::vector<UnitStatus>> done) override {
    base::Result<bus::Message> message = method("ListUnitsByPatterns");
    base::Result<void> filled = fill(message, [&](sd_bus_message* to) -> base::Result<void> {
      TRY(bus::append_texts(to, {}));
      return bus::append_texts(to, {glob});
    });
    call(std::move(message), std::move(filled),
         [done = std::move(done)](base::Result<sd_bus_message*> reply) {
           if (reply)
             done(bus::read_units(*reply));
           else
             done(std::move(reply).error());
         });
  }

  void get_service(const std::string& unit, Done<ServiceState> done) override;

 private:
  using Reply = std::function<void(base::Result<sd_bus_message*>)>;

  // A call that waits for its answer.
  struct Pending {
    SystemdManager* owner = nullptr;
    std::uint64_t number = 0;
    Reply reply;
    bus::Slot slot;
  };
  struct Job {
    std::string_view reason;  // of the error when it does not end in "done"
    Done<void> done;
  };

  static Done<void> forgive_unknown(Done<void> done) {
    return [done = std::move(done)](base::Result<void> result) {
      const bool absent = !result && result.error().reason == "unit_unknown";
      done(absent ? base::Result<void>() : std::move(result));
    };
  }
  static Reply ignore_reply(Done<void> done) {
    return [done = std::move(done)](base::Result<sd_bus_message*> reply) {
      done(reply ? base::Result<void>() : base::Result<void>(std::move(reply).error()));
    };
  }

  base::Result<bus::Message> method(const char* member) {
    return method_at(bus::kManagerPath, bus::kManagerInterface, member);
  }
  base::Result<bus::Message> method_at(const char* path, const char* interface, const char* member);
  template <class Filler>
  static base::Result<void> fill(base::Result<bus::Message>& message, Filler filler) {
    if (!message) return message.error();
    return filler((*message).get());
  }

  void call(base::Result<bus::Message> message, base::Result<void> filled, Reply reply);
  void unit_job(const char* member, const std::string& unit, std::string_view reason,
                Done<void> done);
  void call_for_job(base::Result<bus::Message> message, base::Result<void> filled,
                    std::string_view reason, Done<void> done);
  base::Result<void> watch_signals();
  base::Result<void> add_match(const std::string& rule, sd_bus_message_handler_t handler);
  void subscribe();
  void on_lost();
  void retry();
  void note_changed(const std::string& unit);
  void later(std::function<void()> work);
  void run_deferred();

  static int on_reply(sd_bus_message* message, void* data, sd_bus_error*) noexcept;
  static int on_job_removed(sd_bus_message* message, void* data, sd_bus_error*) noexcept;
  static int on_properties(sd_bus_message* message, void* data, sd_bus_error*) noexcept;
  static int on_unit_removed(sd_bus_message* message, void* data, sd_bus_error*) noexcept;
  static int on_owner_changed(sd_bus_message* message, void* data, sd_bus_error*) noexcept;
  static int on_disconnected(sd_bus_message* message, void* data, sd_bus_error*) noexcept;

  EventLoop& loop_;
  std::string unit_prefix_;
  Observer observer_;
  std::string address_;
  Bus bus_;
  std::vector<bus::Slot> matches_;
  std::map<std::uint64_t, std::unique_ptr<Pending>> pending_;
  std::map<std::string, Job> jobs_;  // by the job's object path
  std::uint64_t last_number_ = 0;
  std::set<std::string> changed_;
  std::deque<std::function<void()>> deferred_;
  WatchHandle deferred_timer_;
  WatchHandle retry_timer_;
  base::Duration retry_delay_ = kRetryFirst;
  bool was_lost_ = false;
};

base::Result<void> SystemdManager::connect() {
  sd_bus* made = nullptr;
  int result = sd_bus_new(&made);
  if (result < 0) return bus::failure_of(result);
  Bus fresh(made);
  result = sd_bus_set_address(made, address_.c_str());
  if (result >= 0) result = sd_bus_set_bus_client(made, 1);
  if (result >= 0) result = sd_bus_start(made);
  if (result >= 0) result = sd_bus_attach_event(made, loop_.native(), SD_EVENT_PRIORITY_NORMAL);
  if (result < 0) {
    return base::Error{base::Code::unavailable,
                       base::os_error(-result, "connect to " + address_).detail, "bus_unreachable",
                       -result};
  }
  bus_ = std::move(fresh);
  TRY(watch_signals());
  subscribe();
  return {};
}

base::Result<void> SystemdManager::add_match(const std::string& rule,
                                             sd_bus_message_handler_t handler) {
  sd_bus_slot* slot = nullptr;
  // Asynchronous: the bus keeps the order of our messages, so the match is there before any call
  // whose effect it must see.
  const int added = sd_bus_add_match_async(bus_.get(), &slot, rule.c_str(), handler, nullptr, this);
  if (added < 0) return bus::failure_of(added);
  matches_.emplace_back(slot);
  return {};
}

base::Result<void> SystemdManager::watch_signals() {
  const std::string manager = std::string("type='signal',sender='") + bus::kService + "',path='" +
                              bus::kManagerPath + "',interface='" + bus::kManagerInterface + "',";
  TRY(add_match(manager + "member='JobRemoved'", on_job_removed));
  TRY(add_match(manager + "member='UnitRemoved'", on_unit_removed));
  TRY(add_match(std::string("type='signal',sender='") + bus::kService + "',path_namespace='" +
                    bus::kUnitPaths + "',interface='" + bus::kPropertiesInterface +
                    "',member='PropertiesChanged'",
                on_properties));
  // systemd that starts anew (daemon-reexec) forgets who listens.
  TRY(add_match(
      std::string("type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                  "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='") +
          bus::kService + "'",
      on_owner_changed));
  return add_match(
      "type='signal',sender='org.freedesktop.DBus.Local',path='/org/freedesktop/DBus/Local',"
      "interface='org.freedesktop.DBus.Local',member='Disconnected'",
      on_disconnected);
}

// Without a subscription systemd sends no signals. Its answer also tells that all is well.
void SystemdManager::subscribe() {
  base::Result<bus::Message> message = method("Subscribe");
  call(std::move(message), {}, [this](base::Result<sd_bus_message*> reply) {
    if (!reply) {
      on_lost();
      return;
    }
    retry_delay_ = kRetryFirst;
    if (std::exchange(was_lost_, false) && observer_.on_reconnect) observer_.on_reconnect();
  });
}

void SystemdManager::on_lost() {
  was_lost_ = true;
  // The connection is taken down outside its own callbacks.
  if (retry_timer_ == nullptr) retry_timer_ = loop_.after(retry_delay_, [this] { retry(); });
}

void SystemdManager::retry() {
  retry_timer_.reset();
  retry_delay_ = std::min(retry_delay_ * 2, kRetryMax);
  const base::Error lost{base::Code::unavailable, "the connection to the bus was lost",
                         "bus_no_reply"};
  auto pending = std::exchange(pending_, {});
  auto jobs = std::exchange(jobs_, {});
  matches_.clear();
  bus_.reset();
  for (auto& [number, waiting] : pending) {
    waiting->slot.reset();
    later([reply = std::move(waiting->reply), lost] { reply(lost); });
  }
  for (auto& [path, job] : jobs) {
    later([done = std::move(job.done), lost] { done(lost); });
  }
  if (!connect()) {
    matches_.clear();
    bus_.reset();
    on_lost();
  }
}

base::Result<bus::Message> SystemdManager::method_at(const char* path, const char* interface,
                                                     const char* member) {
  if (bus_ == nullptr) return bus::failure_of(-ENOTCONN);
  sd_bus_message* made = nullptr;
  const int result =
      sd_bus_message_new_method_call(bus_.get(), &made, bus::kService, path, interface, member);
  if (result < 0) return bus::failure_of(result);
  return bus::Message(made);
}

void SystemdManager::call(base::Result<bus::Message> message, base::Result<void> filled,
                          Reply reply) {
  if (message && filled && pending_.size() + jobs_.size() >= kBusCallsMax) {
    filled = base::Error{base::Code::throttled, "too many calls to the service manager wait",
                         "bus_calls_full"};
  }
  if (!message || !filled) {
    const base::Error& wrong = message ? filled.error() : message.error();
    later([reply = std::move(reply), wrong] { reply(wrong); });
    return;
  }
  auto pending = std::make_unique<Pending>();
  pending->owner = this;
  pending->number = ++last_number_;
  sd_bus_slot* slot = nullptr;
  const int sent =
      sd_bus_call_async(bus_.get(), &slot, (*message).get(), on_reply, pending.get(), 0);
  if (sent < 0) {
    later([reply = std::move(reply), error = bus::failure_of(sent)] { reply(error); });
    return;
  }
  pending->reply = std::move(reply);
  pending->slot.reset(slot);
  pending_.emplace(pending->number, std::move(pending));
}

int SystemdManager::on_reply(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
  auto* waiting = static_cast<Pending*>(data);
  SystemdManager* self = waiting->owner;
  const auto found = self->pending_.find(waiting->number);
  CHECK_THAT(found != self->pending_.end());
  const std::unique_ptr<Pending> pending = std::move(found->second);
  self->pending_.erase(found);
  const sd_bus_error* error = sd_bus_message_get_error(message);
  if (error != nullptr)
    pending->reply(bus::error_of(*error));
  else
    pending->reply(message);
  return 0;
}

void SystemdManager::unit_job(const char* member, const std::string& unit, std::string_view reason,
                              Done<void> done) {
  base::Result<bus::Message> message = method(member);
  base::Result<void> filled = fill(message, [&](sd_bus_message* to) -> base::Result<void> {
    TRY(bus::append_text(to, unit));
    return bus::append_text(to, "replace");
  });
  call_for_job(std::move(message), std::move(filled), reason, std::move(done));
}

void SystemdManager::call_for_job(base::Result<bus::Message> message, base::Result<void> filled,
                                  std::string_view reason, Done<void> done) {
  call(std::move(message), std::move(filled),
       [this, reason, done = std::move(done)](base::Result<sd_bus_message*> reply) {
         if (!reply) {
           done(std::move(reply).error());
           return;
         }
         const char* path = nullptr;
         const int read = sd_bus_message_read_basic(*reply, 'o', &path);
         if (read < 0) {
           done(bus::failure_of(read));
           return;
         }
         // systemd answers before it runs the job, so JobRemoved is still to come. A second caller
         // of a job that is queued already gets the same path; both wait.
         const auto waiting = jobs_.find(path);
         if (waiting == jobs_.end()) {
           jobs_.emplace(path, Job{reason, done});
           return;
         }
         waiting->second.done = [first = std::move(waiting->second.done),
                                 done](base::Result<void> result) {
           first(result);
           done(std::move(result));
         };
       });
}

int SystemdManager::on_job_removed(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
  auto* self = static_cast<SystemdManager*>(data);
  std::uint32_t id = 0;
  const char* path = nullptr;
  const char* unit = nullptr;
  const char* outcome = nullptr;
  if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &outcome) < 0) return 0;
  const auto found = self->jobs_.find(path);
  if (found == self->jobs_.end()) return 0;  // a job of somebody else's
  const Job job = std::move(found->second);
  self->jobs_.erase(found);
  const std::string_view result = outcome;
  if (result == "done" || result == "skipped") {
    job.done({});
  } else {
    job.done(base::Error{base::Code::internal,
                         "the job for " + std::string(unit) + " ended as " + outcome, job.reason});
  }
  return 0;
}

void SystemdManager::get_service(const std::string& unit, Done<ServiceState> done) {
  char* path = nullptr;
  const int encoded = sd_bus_path_encode(bus::kUnitPaths, unit.c_str(), &path);
  CHECK_THAT(encoded >= 0);  // fails for lack of memory only
  const Handle<char, std::free> owned_path(path);
  base::Result<bus::Message> message = method_at(path, bus::kPropertiesInterface, "GetAll");
  // No interface means all of them: unit and service in one answer.
  base::Result<void> filled =
      fill(message, [](sd_bus_message* to) { return bus::append_text(to, ""); });
  call(std::move(message), std::move(filled),
       [done = std::move(done)](base::Result<sd_bus_message*> reply) {
         if (reply)
           done(bus::read_service(*reply));
         else
           done(std::move(reply).error());
       });
}

int SystemdManager::on_properties(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
  char* unit = nullptr;
  if (sd_bus_path_decode(sd_bus_message_get_path(message), bus::kUnitPaths, &unit) <= 0) return 0;
  const Handle<char, std::free> owned_unit(unit);
  static_cast<SystemdManager*>(data)->note_changed(unit);
  return 0;
}

int SystemdManager::on_unit_removed(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
  const char* unit = nullptr;
  if (sd_bus_message_read_basic(message, 's', &unit) > 0) {
    static_cast<SystemdManager*>(data)->note_changed(unit);
  }
  return 0;
}

int SystemdManager::on_owner_changed(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
  const char* name = nullptr;
  const char* old_owner = nullptr;
  if (sd_bus_message_read(message, "ss", &name, &old_owner) < 0) return 0;
  if (*old_owner != '\0') static_cast<SystemdManager*>(data)->on_lost();
  return 0;
}

int SystemdManager::on_disconnected(sd_bus_message*, void* data, sd_bus_error*) noexcept {
  static_cast<SystemdManager*>(data)->on_lost();
  return 0;
}

// One change of state is several signals; the owner hears of it once.
void SystemdManager::note_changed(const std::string& unit) {
  if (!unit.starts_with(unit_prefix_) || !observer_.on_unit_changed) return;
  if (!changed_.insert(unit).second) return;
  later([this, unit] {
    changed_.erase(unit);
    observer_.on_unit_changed(unit);
  });
}

// `work` runs after the current callback, and not at all when we go away before.
void SystemdManager::later(std::function<void()> work) {
  deferred_.push_back(std::move(work));
  if (deferred_timer_ == nullptr) {
    deferred_timer_ = loop_.at(base::Instant{}, [this] { run_deferred(); });
  }
}

void SystemdManager::run_deferred() {
  deferred_timer_.reset();
  auto work = std::exchange(deferred_, {});
  for (auto& piece : work) piece();
}

}  // namespace

base::Result<std::unique_ptr<ServiceManager>> ServiceManager::make(EventLoop& loop,
                                                                   std::string unit_prefix,
                                                                   Observer observer,
                                                                   std::string bus_address) {
  auto manager = std::make_unique<SystemdManager>(
      loop, std::move(unit_prefix), std::move(observer),
      bus_address.empty() ? std::string(kSystemBus) : std::move(bus_address));
  TRY(manager->connect());
  return std::unique_ptr<ServiceManager>(std::move(manager));
}

}  // namespace sys
