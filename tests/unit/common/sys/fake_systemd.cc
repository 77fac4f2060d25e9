// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/common/sys/fake_systemd.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "common/base/check.h"

namespace {

constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";

// A variant as "TYPE:VALUE", with lists in brackets.
std::string read_variant(sd_bus_message* message);

std::string read_one(sd_bus_message* message) {
  char type = 0;
  const char* contents = nullptr;
  CHECK_THAT(sd_bus_message_peek_type(message, &type, &contents) > 0);
  if (type == 'a' || type == 'r') {
    const std::string inner = contents;
    CHECK_THAT(sd_bus_message_enter_container(message, type, contents) > 0);
    std::string text = type == 'a' ? "[" : "(";
    while (sd_bus_message_at_end(message, 0) == 0) {
      if (text.size() > 1) text += ",";
      text += read_one(message);
    }
    CHECK_THAT(sd_bus_message_exit_container(message) >= 0);
    return text + (type == 'a' ? "]" : ")");
  }
  union {
    const char* text;
    int flag;
    std::uint64_t t;
    std::uint32_t u;
    std::int32_t i;
  } value{};
  CHECK_THAT(sd_bus_message_read_basic(message, type, &value) > 0);
  switch (type) {
    case 's': return value.text;
    case 'b': return value.flag != 0 ? "true" : "false";
    case 't': return std::to_string(value.t);
    case 'u': return std::to_string(value.u);
    case 'i': return std::to_string(value.i);
    default: CHECK_THAT(false);
  }
}

std::string read_variant(sd_bus_message* message) {
  char type = 0;
  const char* contents = nullptr;
  CHECK_THAT(sd_bus_message_peek_type(message, &type, &contents) > 0 && type == 'v');
  const std::string signature = contents;
  CHECK_THAT(sd_bus_message_enter_container(message, 'v', contents) > 0);
  const std::string value = read_one(message);
  CHECK_THAT(sd_bus_message_exit_container(message) >= 0);
  return signature + ":" + value;
}

std::string read_properties(sd_bus_message* message) {
  std::string text;
  CHECK_THAT(sd_bus_message_enter_container(message, 'a', "(sv)") >= 0);
  while (sd_bus_message_enter_container(message, 'r', "sv") > 0) {
    const char* name = nullptr;
    CHECK_THAT(sd_bus_message_read_basic(message, 's', &name) > 0);
    text += " " + std::string(name) + "=" + read_variant(message);
    CHECK_THAT(sd_bus_message_exit_container(message) >= 0);
  }
  CHECK_THAT(sd_bus_message_exit_container(message) >= 0);
  return text;
}

std::string path_of(const std::string& unit) {
  char* path = nullptr;
  CHECK_THAT(sd_bus_path_encode((std::string(kPath) + "/unit").c_str(), unit.c_str(), &path) >= 0);
  const std::string text = path;
  std::free(path);
  return text;
}

}  // namespace

struct FakeSystemdTable {
  template <int (FakeSystemd::*Method)(sd_bus_message*)>
  static int thunk(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
    return (static_cast<FakeSystemd*>(self)->*Method)(message);
  }
  static int subscribe(sd_bus_message* message, void* self, sd_bus_error*) noexcept {
    static_cast<FakeSystemd*>(self)->note("Subscribe");
    return sd_bus_reply_method_return(message, "");
  }
  // GetAll on a unit's path, over all interfaces.
  static int get_all(sd_bus_message* message, void* data, sd_bus_error*) noexcept {
    auto* self = static_cast<FakeSystemd*>(data);
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "GetAll") <= 0) {
      return 0;
    }
    const char* interface = nullptr;
    CHECK_THAT(sd_bus_message_read(message, "s", &interface) > 0);
    CHECK_THAT(*interface == '\0');
    char* name = nullptr;
    const std::string prefix = std::string(kPath) + "/unit";
    if (sd_bus_path_decode(sd_bus_message_get_path(message), prefix.c_str(), &name) <= 0) return 0;
    const std::string unit = name;
    std::free(name);
    const auto found = self->units_.find(unit);
    const bool known = found != self->units_.end();
    return sd_bus_reply_method_return(
        message, "a{sv}", 11, "Id", "s", unit.c_str(), "LoadState", "s",
        known ? "loaded" : "not-found", "ActiveState", "s",
        known ? found->second.active.c_str() : "inactive", "SubState", "s",
        known ? found->second.sub.c_str() : "dead", "MainPID", "u", 4711u, "ExecMainStatus", "i", 9,
        "ExecMainCode", "i", 2, "Result", "s", "signal", "ControlGroup", "s", "/x.slice/y",
        "Conditions", "a(sbbsi)", 1, "ConditionUser", 0, 0, "root", 1, "Wants", "as", 1, "z");
  }
  static const sd_bus_vtable kTable[];
};

const sd_bus_vtable FakeSystemdTable::kTable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Subscribe", "", "", subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartTransientUnit", "ssa(sv)a(sa(sv))", "o",
                  thunk<&FakeSystemd::start_transient>, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StopUnit", "ss", "o", thunk<&FakeSystemd::unit_job>, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("StartUnit", "ss", "o", thunk<&FakeSystemd::unit_job>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RestartUnit", "ss", "o", thunk<&FakeSystemd::unit_job>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReloadUnit", "ss", "o", thunk<&FakeSystemd::unit_job>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ResetFailedUnit", "s", "", thunk<&FakeSystemd::note_unit>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("KillUnit", "ssi", "", thunk<&FakeSystemd::kill>, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", thunk<&FakeSystemd::set_properties>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ListUnitsByPatterns", "asas", "a(ssssssouso)", thunk<&FakeSystemd::list>,
                  SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

FakeSystemd::FakeSystemd() { start_bus(); }
FakeSystemd::~FakeSystemd() { stop_bus(); }

std::string FakeSystemd::address() const { return "unix:path=" + (scratch_ / "bus").string(); }

std::vector<std::string> FakeSystemd::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void FakeSystemd::note(std::string line) {
  const std::lock_guard lock(mutex_);
  calls_.push_back(std::move(line));
}

void FakeSystemd::set_job_result(const std::string& result) {
  const std::lock_guard lock(mutex_);
  job_result_ = result;
}

void FakeSystemd::start_bus() {
  const std::string config = (scratch_ / "config").string();
  std::ofstream(config) << "<busconfig><type>custom</type><listen>" << address()
                        << "</listen><auth>EXTERNAL</auth><policy context='default'>"
                           "<allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>"
                           "<allow own='*'/></policy></busconfig>\n";
  int ready[2];
  CHECK_THAT(::pipe(ready) == 0);
  const std::string config_option = "--config-file=" + config;
  const std::string ready_option = "--print-pid=" + std::to_string(ready[1]);
  const char* argv[] = {"/usr/bin/dbus-daemon", config_option.c_str(), "--nofork",
                        "--nopidfile",          ready_option.c_str(),  nullptr};
  char* environment[] = {nullptr};
  CHECK_THAT(::posix_spawn(&bus_pid_, argv[0], nullptr, nullptr, const_cast<char**>(argv),
                           environment) == 0);
  ::close(ready[1]);
  char text[32];
  CHECK_THAT(::read(ready[0], text, sizeof text) > 0);  // it listens now
  ::close(ready[0]);
  stopping_ = false;
  CHECK_THAT(sd_bus_new(&bus_) >= 0);
  CHECK_THAT(sd_bus_set_address(bus_, address().c_str()) >= 0);
  CHECK_THAT(sd_bus_set_bus_client(bus_, 1) >= 0);
  CHECK_THAT(sd_bus_start(bus_) >= 0);
  CHECK_THAT(sd_bus_add_object_vtable(bus_, nullptr, kPath, kManager, FakeSystemdTable::kTable,
                                      this) >= 0);
  CHECK_THAT(sd_bus_add_fallback(bus_, nullptr, (std::string(kPath) + "/unit").c_str(),
                                 FakeSystemdTable::get_all, this) >= 0);
  CHECK_THAT(sd_bus_request_name(bus_, "org.freedesktop.systemd1", 0) >= 0);
  server_ = std::thread([this] { serve(); });
}

void FakeSystemd::stop_bus() {
  stopping_ = true;
  ::kill(bus_pid_, SIGKILL);
  ::waitpid(bus_pid_, nullptr, 0);
  server_.join();
  sd_bus_close(bus_);
  sd_bus_unref(bus_);
  bus_ = nullptr;
}

// Ends when the bus is gone.
void FakeSystemd::serve() {
  while (true) {
    const int processed = sd_bus_process(bus_, nullptr);
    if (processed < 0) break;
    if (processed == 0 && sd_bus_wait(bus_, UINT64_MAX) < 0) break;
  }
  CHECK_THAT(stopping_);
}

int FakeSystemd::finish_job(sd_bus_message* message, const std::string& unit,
                            const std::string& active) {
  const unsigned id = ++last_job_;
  const std::string job = std::string(kPath) + "/job/" + std::to_string(id);
  CHECK_THAT(sd_bus_reply_method_return(message, "o", job.c_str()) >= 0);
  std::string result;
  {
    const std::lock_guard lock(mutex_);
    result = job_result_;
  }
  if (active.empty())
    units_.erase(unit);
  else
    units_[unit].active = active;
  const std::string path = path_of(unit);
  CHECK_THAT(sd_bus_emit_signal(bus_, path.c_str(), "org.freedesktop.DBus.Properties",
                                "PropertiesChanged", "sa{sv}as", "org.freedesktop.systemd1.Unit", 1,
                                "ActiveState", "s", active.c_str(), 0) >= 0);
  if (active.empty()) {
    CHECK_THAT(sd_bus_emit_signal(bus_, kPath, kManager, "UnitRemoved", "so", unit.c_str(),
                                  path.c_str()) >= 0);
  }
  return sd_bus_emit_signal(bus_, kPath, kManager, "JobRemoved", "uoss", id, job.c_str(),
                            unit.c_str(), result.c_str());
}

int FakeSystemd::start_transient(sd_bus_message* message) {
  const char* unit = nullptr;
  const char* mode = nullptr;
  CHECK_THAT(sd_bus_message_read(message, "ss", &unit, &mode) > 0);
  note("StartTransientUnit " + std::string(unit) + " " + mode + read_properties(message));
  if (units_.contains(unit)) {
    return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.UnitExists",
                                      "Unit %s was already loaded", unit);
  }
  return finish_job(message, unit, "active");
}

int FakeSystemd::unit_job(sd_bus_message* message) {
  const char* unit = nullptr;
  const char* mode = nullptr;
  CHECK_THAT(sd_bus_message_read(message, "ss", &unit, &mode) > 0);
  const std::string member = sd_bus_message_get_member(message);
  note(member + " " + unit + " " + mode);
  if (!units_.contains(unit)) {
    return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                      "Unit %s not loaded.", unit);
  }
  return finish_job(message, unit, member == "StopUnit" ? "" : "active");
}

int FakeSystemd::note_unit(sd_bus_message* message) {
  const char* unit = nullptr;
  CHECK_THAT(sd_bus_message_read(message, "s", &unit) > 0);
  note(std::string(sd_bus_message_get_member(message)) + " " + unit);
  if (!units_.contains(unit)) {
    return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                      "Unit %s not loaded.", unit);
  }
  return sd_bus_reply_method_return(message, "");
}

int FakeSystemd::kill(sd_bus_message* message) {
  const char* unit = nullptr;
  const char* who = nullptr;
  int signal = 0;
  CHECK_THAT(sd_bus_message_read(message, "ssi", &unit, &who, &signal) > 0);
  note("KillUnit " + std::string(unit) + " " + who + " " + std::to_string(signal));
  if (!units_.contains(unit)) {
    return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                      "Unit %s not loaded.", unit);
  }
  return sd_bus_reply_method_return(message, "");
}

int FakeSystemd::set_properties(sd_bus_message* message) {
  const char* unit = nullptr;
  int runtime = 0;
  CHECK_THAT(sd_bus_message_read(message, "sb", &unit, &runtime) > 0);
  note("SetUnitProperties " + std::string(unit) + " " + std::to_string(runtime) +
       read_properties(message));
  return sd_bus_reply_method_return(message, "");
}

int FakeSystemd::list(sd_bus_message* message) {
  const std::string states = read_one(message);
  const std::string patterns = read_one(message);
  note("ListUnitsByPatterns " + states + " " + patterns);
  sd_bus_message* reply = nullptr;
  CHECK_THAT(sd_bus_message_new_method_return(message, &reply) >= 0);
  CHECK_THAT(sd_bus_message_open_container(reply, 'a', "(ssssssouso)") >= 0);
  for (const auto& [name, unit] : units_) {
    CHECK_THAT(sd_bus_message_append(reply, "(ssssssouso)", name.c_str(), "text", "loaded",
                                     unit.active.c_str(), unit.sub.c_str(), "",
                                     path_of(name).c_str(), 0u, "", "/") >= 0);
  }
  CHECK_THAT(sd_bus_message_close_container(reply) >= 0);
  const int sent = sd_bus_send(bus_, reply, nullptr);
  sd_bus_message_unref(reply);
  return sent < 0 ? sent : 1;
}
