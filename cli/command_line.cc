// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"
#include "cli/audit_commands.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <ostream>

#include "cli/app_commands.h"
#include "cli/choice.h"
#include "cli/container_commands.h"
#include "cli/dfs_command_line.h"
#include "cli/follow_commands.h"
#include "cli/fw_commands.h"
#include "cli/log_commands.h"
#include "cli/login.h"
#include "cli/node_commands.h"
#include "cli/resource_commands.h"
#include "cli/show_commands.h"
#include "cli/status_command.h"
#include "common/base/text.h"

namespace cli {

namespace {

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

// A command without arguments.
void add_plain(CLI::App* parent, Choice& choice, const char* name, const char* about,
               Status (*run)(const Session&)) {
  parent->add_subcommand(name, about)->callback([&choice, run] {
    choice.set([&choice, run] { return run(choice.session); });
  });
}

// The options of every command that starts a deployment.
std::shared_ptr<ChangeOptions> add_change_options(CLI::App* command) {
  auto change = std::make_shared<ChangeOptions>();
  command->add_flag("--no-wait", change->no_wait, "Return when the deployment has begun");
  command->add_flag("--force", change->force, "Override a deployment that holds the application");
  command->add_option("--timeout", change->timeout_seconds, "Longest wait in seconds")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  return change;
}

void add_app_run(CLI::App* app, Choice& choice) {
  CLI::App* run = app->add_subcommand("run", "Start an application, from a file or from options");
  auto options = std::make_shared<AppOptions>();
  auto update = std::make_shared<bool>(false);
  run->add_option("file", options->file, "Application in Marathon's JSON, - for standard input");
  run->add_option("--id", options->id, "Id, for instance /demo/web");
  run->add_option("--image", options->image, "docker://…, oci:/path:tag or oci-archive:/path");
  run->add_option("--cmd", options->command, "Command line, run by the shell of the image or node");
  run->add_option("--instances", options->instances, "How many instances");
  run->add_option("--cpus", options->cpus, "Processors for each instance");
  run->add_option("--mem", options->memory, "Memory for each instance: MiB, or with m or g");
  run->add_option("--port", options->ports, "[NAME=]SERVICE_PORT, 0 for any; may be repeated")
      ->take_all();
  run->add_option("--vhost", options->hosts, "Virtual host that leads to the first port")
      ->take_all();
  run->add_option("--env", options->env, "KEY=VALUE; may be repeated")->take_all();
  run->add_option("--label", options->labels, "KEY=VALUE; may be repeated")->take_all();
  run->add_option("--volume", options->volumes, "/HOST:/PATH[:ro], or SIZE:/PATH to keep data")
      ->take_all();
  run->add_option("--constraint", options->constraints, "FIELD:OPERATOR[:VALUE]")->take_all();
  run->add_option("--health-path", options->health_path, "Path that answers 2xx when healthy");
  run->add_flag("--init", options->init, "Process 1 of the container passes signals on");
  run->add_flag("--read-only", options->read_only, "The image cannot be written to");
  run->add_flag("--update", *update, "Change the application if it exists");
  auto change = add_change_options(run);
  run->callback([&choice, options, update, change] {
    choice.set([&choice, options, update, change] {
      return app_run(choice.session, *options, *update, *change);
    });
  });
}

void add_app_changes(CLI::App* app, Choice& choice) {
  auto id = std::make_shared<std::string>();
  CLI::App* scale = app->add_subcommand("scale", "Change the number of instances");
  auto instances = std::make_shared<std::int64_t>(0);
  scale->add_option("id", *id, "Application")->required();
  scale->add_option("instances", *instances, "How many")->required()->check(CLI::NonNegativeNumber);
  auto scaling = add_change_options(scale);
  scale->callback([&choice, id, instances, scaling] {
    choice.set([&choice, id, instances, scaling] {
      return app_scale(choice.session, *id, *instances, *scaling);
    });
  });

  CLI::App* restart = app->add_subcommand("restart", "Replace all instances, a few at a time");
  restart->add_option("id", *id, "Application")->required();
  auto restarting = add_change_options(restart);
  restart->callback([&choice, id, restarting] {
    choice.set([&choice, id, restarting] { return app_restart(choice.session, *id, *restarting); });
  });

  CLI::App* kill = app->add_subcommand("kill", "Kill instances; they are replaced");
  auto instance = std::make_shared<std::string>();
  auto shrink = std::make_shared<bool>(false);
  kill->add_option("id", *id, "Application")->required();
  kill->add_option("--instance", *instance, "Only this instance");
  kill->add_flag("--scale", *shrink, "Do not replace what is killed");
  auto killing = add_change_options(kill);
  kill->callback([&choice, id, instance, shrink, killing] {
    choice.set([&choice, id, instance, shrink, killing] {
      return app_kill(choice.session, *id, *instance, *shrink, *killing);
    });
  });

  CLI::App* remove = app->add_subcommand("rm", "Stop an application and forget it");
  remove->add_option("id", *id, "Application")->required();
  auto removing = add_change_options(remove);
  remove->callback([&choice, id, removing] {
    choice.set([&choice, id, removing] { return app_remove(choice.session, *id, *removing); });
  });
}

void add_app_commands(CLI::App& app, Choice& choice) {
  CLI::App* group = app.add_subcommand("app", "Applications");
  group->require_subcommand(1);
  add_app_run(group, choice);
  CLI::App* list = group->add_subcommand("list", "All applications");
  list->callback([&choice] { choice.set([&choice] { return app_list(choice.session); }); });
  CLI::App* show = group->add_subcommand("show", "One application and its instances");
  auto id = std::make_shared<std::string>();
  show->add_option("id", *id, "Application")->required();
  show->callback(
      [&choice, id] { choice.set([&choice, id] { return app_show(choice.session, *id); }); });
  add_app_changes(group, choice);

  CLI::App* logs = group->add_subcommand("logs", "What the instances have written");
  auto wanted = std::make_shared<LogOptions>();
  logs->add_option("id", wanted->id, "Application")->required();
  logs->add_option("--instance", wanted->instance, "Only this instance");
  logs->add_option("-n,--lines", wanted->lines, "Lines from the end")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  logs->add_option("--agents", wanted->agents, "Agents of other nodes; {host} is the node")
      ->capture_default_str();
  logs->add_flag("-f,--follow", wanted->follow, "Go on until interrupted");
  logs->callback([&choice, wanted] {
    choice.set([&choice, wanted] { return app_logs(choice.session, *wanted); });
  });
}

void add_netfw_commands(CLI::App& app, Choice& choice) {
  CLI::App* firewall = app.add_subcommand("fw", "The firewall of this node");
  firewall->require_subcommand(1);
  add_plain(firewall, choice, "show", "Rules and sets", firewall_show);
  CLI::App* plan =
      firewall->add_subcommand("plan", "What a policy would change, without changing it");
  auto file = std::make_shared<std::string>();
  plan->add_option("file", *file, "The policy in JSON, - for standard input")->required();
  plan->callback([&choice, file] {
    choice.set([&choice, file] { return firewall_plan(choice.session, *file); });
  });
  CLI::App* apply = firewall->add_subcommand("apply", "Put a policy into force, perhaps on trial");
  auto trial = std::make_shared<std::optional<std::int64_t>>();
  apply->add_option("file", *file, "The policy in JSON, - for standard input")->required();
  apply->add_option("--confirm-seconds", *trial, "On trial for so long unless it is confirmed")
      ->check(CLI::Range(1, 3600));
  apply->callback([&choice, file, trial] {
    choice.set([&choice, file, trial] { return firewall_apply(choice.session, *file, *trial); });
  });
  add_plain(firewall, choice, "confirm", "Keep the policy on trial", firewall_confirm);
  add_plain(firewall, choice, "rollback", "Take the policy on trial back", firewall_rollback);
  CLI::App* balancer = app.add_subcommand("lb", "The load balancer of this node");
  balancer->require_subcommand(1);
  add_plain(balancer, choice, "show", "Services and what is in rotation", balancer_show);
}

void add_deployment_commands(CLI::App& app, Choice& choice) {
  CLI::App* group = app.add_subcommand("deployment", "Changes under way");
  group->require_subcommand(1);
  CLI::App* list = group->add_subcommand("list", "All deployments under way");
  list->callback([&choice] { choice.set([&choice] { return deployment_list(choice.session); }); });
  auto id = std::make_shared<std::string>();
  CLI::App* show = group->add_subcommand("show", "One deployment and its current step");
  show->add_option("id", *id, "Deployment")->required();
  show->callback([&choice, id] {
    choice.set([&choice, id] { return deployment_show(choice.session, *id); });
  });
  CLI::App* rollback = group->add_subcommand("rollback", "Take a deployment back");
  rollback->add_option("id", *id, "Deployment")->required();
  auto change = std::make_shared<ChangeOptions>();
  rollback->add_flag("--force", change->force, "Stop it where it is, without going back");
  rollback->callback([&choice, id, change] {
    choice.set([&choice, id, change] { return deployment_rollback(choice.session, *id, *change); });
  });
}

void add_follow_commands(CLI::App& app, Choice& choice) {
  CLI::App* events = app.add_subcommand("events", "Show what happens, until interrupted");
  auto types = std::make_shared<std::vector<std::string>>();
  events->add_option("--type", *types, "Only events of this type; may be repeated")->take_all();
  events->callback([&choice, types] {
    choice.set([&choice, types] { return follow_events(choice.session, *types); });
  });
}

void add_tier(CLI::App& app, Choice& choice, Tier tier, const char* name, const char* what) {
  CLI::App* group = app.add_subcommand(name, what);
  group->require_subcommand(1);
  auto place = std::make_shared<std::string>();
  auto options = std::make_shared<ResourceOptions>();
  CLI::App* list = group->add_subcommand("list", "Those that the caller may see");
  if (tier != Tier::org) list->add_option("place", *place, "Where: /fqon[/workspace]");
  list->callback([&choice, tier, place] {
    choice.set([&choice, tier, place] { return tier_list(choice.session, tier, *place); });
  });
  CLI::App* create = group->add_subcommand("create", "Make a new one");
  create->add_option("place", *place, "Its own place, for instance /acme/shop/test")->required();
  create->add_option("--description", options->description, "What it is for");
  create->add_option("--set", options->properties, "KEY=VALUE of a property")->take_all();
  create->add_flag("--dry-run", options->dry_run, "Only say whether it could be made");
  if (tier == Tier::environment) {
    create->add_option("--type", options->environment_type, "development, test or production")
        ->capture_default_str();
  }
  create->callback([&choice, tier, place, options] {
    choice.set([&choice, tier, place, options] {
      return tier_create(choice.session, tier, *place, *options);
    });
  });
  CLI::App* show = group->add_subcommand("show", "All of one");
  show->add_option("place", *place, "Its place");
  show->callback([&choice, place] {
    choice.set([&choice, place] { return tier_show(choice.session, *place); });
  });
  CLI::App* remove = group->add_subcommand("rm", "Remove one");
  remove->add_option("place", *place, "Its place")->required();
  remove->add_flag("--force", options->force, "With all that stands in it");
  remove->callback([&choice, place, options] {
    choice.set(
        [&choice, place, options] { return tier_remove(choice.session, *place, options->force); });
  });
}

// What a verb on resources is told: KIND [NAME], manifests, or either.
enum class Takes { kind, files, both };
CLI::App* add_resource_verb(CLI::App& app, Choice& choice, const char* name, const char* what,
                            Takes takes,
                            Status (*run)(const Session& session, const ResourceOptions& options),
                            const std::shared_ptr<ResourceOptions>& options) {
  CLI::App* verb = app.add_subcommand(name, what);
  verb->add_option("--context", options->context, "Where: /fqon[/workspace[/environment]]");
  if (takes != Takes::files) {
    verb->add_option("kind", options->kind, "Collection: containers, policies, …");
    verb->add_option("name", options->name, "Name of one resource");
  }
  if (takes != Takes::kind) {
    CLI::Option* files =
        verb->add_option("-f,--file", options->files, "Manifests: files, folders, - for stdin");
    files->take_all();
    if (takes == Takes::files) files->required();
  }
  verb->callback([&choice, run, options] {
    choice.set([&choice, run, options] { return run(choice.session, *options); });
  });
  return verb;
}

void add_wait_options(CLI::App* verb, const std::shared_ptr<ResourceOptions>& options) {
  verb->add_flag("--wait", options->wait, "Return when containers run as they shall");
  verb->add_option("--timeout", options->timeout_seconds, "Longest wait in seconds")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

void add_container_verb(CLI::App* group, Choice& choice, const char* name, const char* what,
                        Status (*run)(const Session& session, const ContainerOptions& options),
                        const std::function<void(CLI::App*, ContainerOptions&)>& more) {
  auto options = std::make_shared<ContainerOptions>();
  CLI::App* verb = group->add_subcommand(name, what);
  verb->add_option("name", options->name, "Name of the container")->required();
  more(verb, *options);
  verb->add_option("--context", options->context, "Where: /fqon/workspace/environment");
  verb->add_flag("--no-wait", options->no_wait, "Return when the change is taken");
  verb->add_option("--timeout", options->timeout_seconds, "Longest wait in seconds")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  verb->callback([&choice, run, options] {
    choice.set([&choice, run, options] { return run(choice.session, *options); });
  });
}

void add_container_commands(CLI::App& app, Choice& choice) {
  CLI::App* group = app.add_subcommand("container", "Containers of an environment");
  group->require_subcommand(1);
  auto context = std::make_shared<std::string>();
  CLI::App* list = group->add_subcommand("list", "Containers with what became of them");
  list->add_option("--context", *context, "Where: /fqon[/workspace[/environment]]");
  list->callback([&choice, context] {
    choice.set([&choice, context] { return container_list(choice.session, *context); });
  });
  add_container_verb(group, choice, "scale", "Change the number of instances", container_scale,
                     [](CLI::App* verb, ContainerOptions& options) {
                       verb->add_option("instances", options.instances, "How many")
                           ->required()
                           ->check(CLI::Range(0, 10000));
                     });
  add_container_verb(
      group, choice, "migrate", "Move to another provider", container_migrate,
      [](CLI::App* verb, ContainerOptions& options) {
        verb->add_option("provider", options.provider, "Name of the provider")->required();
      });
  add_container_verb(
      group, choice, "promote", "Copy to another environment", container_promote,
      [](CLI::App* verb, ContainerOptions& options) {
        verb->add_option("target", options.target, "/fqon/workspace/environment")->required();
      });
}

void add_resource_commands(CLI::App& app, Choice& choice) {
  add_tier(app, choice, Tier::org, "org", "Organisations");
  add_tier(app, choice, Tier::workspace, "workspace", "Workspaces of organisations");
  add_tier(app, choice, Tier::environment, "environment", "Environments of workspaces");
  auto get = std::make_shared<ResourceOptions>();
  add_resource_verb(app, choice, "get", "Resources of a kind, or one by name", Takes::kind,
                    resource_get, get)
      ->get_option("kind")
      ->required();
  auto create = std::make_shared<ResourceOptions>();
  CLI::App* creating = add_resource_verb(app, choice, "create", "Make resources", Takes::both,
                                         resource_create, create);
  creating->add_option("--description", create->description, "What it is for");
  creating->add_option("--set", create->properties, "KEY=VALUE of a property")->take_all();
  creating->add_flag("--dry-run", create->dry_run, "Only say whether it could be made");
  auto remove = std::make_shared<ResourceOptions>();
  CLI::App* removing = add_resource_verb(app, choice, "delete", "Remove resources", Takes::both,
                                         resource_delete, remove);
  removing->add_flag("--force", remove->force, "With all that stands in them");
  add_wait_options(removing, remove);
  auto apply = std::make_shared<ResourceOptions>();
  CLI::App* applying = add_resource_verb(app, choice, "apply", "Make resources as manifests say",
                                         Takes::files, resource_apply, apply);
  applying->add_flag("--dry-run", apply->dry_run, "Only say what would be done");
  add_wait_options(applying, apply);
  auto diff = std::make_shared<ResourceOptions>();
  add_resource_verb(app, choice, "diff", "What apply would change", Takes::files, resource_diff,
                    diff);
  auto place = std::make_shared<std::string>();
  CLI::App* context =
      app.add_subcommand("context", "Keep a place for commands without --context, or print it");
  context->add_option("place", *place, "/fqon[/workspace[/environment]], - to forget it");
  context->callback([&choice, place] {
    choice.set([&choice, place] { return context_command(choice.session, *place); });
  });
}

void add_node_commands(CLI::App& app, Choice& choice) {
  CLI::App* node = app.add_subcommand("node", "This machine as a node");
  node->require_subcommand(1);
  add_plain(node, choice, "show", "Address, resources and what is used of them", node_show);

  auto first = std::make_shared<NodeInitOptions>();
  CLI::App* init = node->add_subcommand(
      "init", "First boot: folders, identity, admin token. Safe to repeat; run as root");
  init->add_option("--state", first->state, "State folder")->capture_default_str();
  init->add_option("--group", first->group, "Group that may read the token hashes")
      ->capture_default_str();
  init->callback([&choice, first] {
    choice.set([&choice, first] { return node_init(choice.session, *first); });
  });

  auto look = std::make_shared<PreflightOptions>();
  CLI::App* preflight =
      node->add_subcommand("preflight", "Check that this machine can be a node. Changes nothing");
  preflight->add_option("--role", look->role,
                        "infra, dmz or appliance (default: as the node is configured)");
  preflight->add_option("--peer", look->peers, "another node to be reached; may be repeated");
  preflight->add_option("--only", look->only, "Run these checks only, comma separated")
      ->delimiter(',');
  preflight->add_option("--waive", look->waivers, "ID=REASON: accept what this check finds")
      ->take_all();
  preflight->add_option("--data-device", look->data_device, "Disk for data, for instance /dev/sdb");
  preflight->add_option("--sysroot", look->sysroot,
                        "Read /proc, /sys, /etc and /dev below this folder");
  preflight->add_flag("--strict", look->strict, "Exit with 3 when there are only warnings");
  preflight->add_flag("--list", look->list, "Print the ids of all checks");
  preflight->callback([&choice, look] {
    choice.command = [&choice, look] { return node_preflight(choice.session, *look); };
  });
}

void add_login_commands(CLI::App& app, Choice& choice) {
  CLI::App* in = app.add_subcommand("login", "Log in to the services and keep the token");
  auto options = std::make_shared<LoginOptions>();
  in->add_option("--org", options->org, "Organisation, for instance acme.eng")
      ->capture_default_str();
  in->add_option("--username", options->username, "Account");
  in->add_option("--password-file", options->password_file,
                 "File with the password, - for standard input; asked for otherwise");
  in->add_option("--key-file", options->key_file,
                 "File with apiKey and apiSecret, as the first boot writes it");
  in->callback([&choice, options] {
    choice.set([&choice, options] { return login(choice.session, *options); });
  });
  add_plain(&app, choice, "logout", "End the token and forget it", logout);
  add_plain(&app, choice, "whoami", "Who the services take the caller for", whoami);
}

void add_audit_commands(CLI::App& app, Choice& choice) {
  CLI::App* audit = app.add_subcommand("audit", "The record of every decision and change");
  audit->require_subcommand(1);
  auto verify = std::make_shared<AuditVerifyOptions>();
  CLI::App* command =
      audit->add_subcommand("verify", "Check an audit log by its files, without a daemon");
  command->add_option("folder", verify->folder, "Folder of the log")->capture_default_str();
  command->add_option("--key", verify->key, "Public key as base64 (default: the folder's)");
  command->add_option("--expect", verify->expected, "N:HASH that must be in the chain");
  command->callback([&choice, verify] {
    choice.set([&choice, verify] { return audit_verify(choice.session, *verify); });
  });
}

void add_global_options(CLI::App& app, Session& session) {
  app.add_flag("--json", session.json, "Print JSON for programs");
  app.add_option("--url", session.url, "Daemon to talk to, for instance https://10.0.0.2:8080");
  app.add_option("--token", session.token, "Token; visible to others in ps, prefer --token-file");
  app.add_option("--token-file", session.token_file, "File with a token");
  app.add_option("--ca-file", session.ca_file, "PEM file with the CA of an https URL");
  app.add_option("--run-folder", session.run_folder, "Folder with the daemons' sockets")
      ->capture_default_str();
}

// What --help of a command ends with.
struct Example {
  std::string_view command;
  std::string_view text;
};
constexpr Example kExamples[] = {
    {"status", "gestalt status\n  gestalt status --json | jq .daemons"},
    {"app run",
     "gestalt app run --id /web --image oci-archive:/srv/web.tar --port http=10000 \\\n"
     "      --vhost web.example --health-path / --instances 2\n"
     "  gestalt app run web.json --update"},
    {"app list", "gestalt app list --json"},
    {"app show", "gestalt app show /web"},
    {"app scale", "gestalt app scale /web 5 --timeout 120"},
    {"app restart", "gestalt app restart /web --no-wait"},
    {"app kill", "gestalt app kill /web --instance web.instance-3f0c._app.1"},
    {"app rm", "gestalt app rm /web"},
    {"app logs", "gestalt app logs /web -n 20 -f"},
    {"deployment list", "gestalt deployment list"},
    {"deployment show", "gestalt deployment show 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43"},
    {"deployment rollback", "gestalt deployment rollback 5ed4c0c5-9ff8-4a6f-a0cd-f57f59a34b43"},
    {"events", "gestalt events --json"},
    {"fw show", "gestalt fw show"},
    {"fw plan", "gestalt fw plan policy.json"},
    {"fw apply", "gestalt fw apply policy.json --confirm-seconds 120"},
    {"fw confirm", "gestalt fw confirm"},
    {"fw rollback", "gestalt fw rollback"},
    {"lb show", "gestalt lb show --json"},
    {"login",
     "gestalt login --username ada --org acme\n"
     "  gestalt login --key-file /var/lib/gestalt/credentials/services-admin.json"},
    {"logout", "gestalt logout"},
    {"whoami", "gestalt whoami --json"},
    {"org create", "gestalt org create /acme.eng"},
    {"workspace create", "gestalt workspace create /acme.eng/shop"},
    {"environment create", "gestalt environment create /acme.eng/shop/test --type test"},
    {"get", "gestalt get containers --context /acme.eng/shop/test"},
    {"apply",
     "gestalt apply -f shop/ --context /acme.eng/shop/test\n"
     "  gestalt apply -f web.yaml --wait --timeout 120"},
    {"container list", "gestalt container list --context /acme.eng/shop"},
    {"container scale", "gestalt container scale web 5 --context /acme.eng/shop/test"},
    {"container migrate", "gestalt container migrate web north"},
    {"container promote", "gestalt container promote web /acme.eng/shop/production"},
    {"diff", "gestalt diff -f shop/web.yaml"},
    {"context", "gestalt context /acme.eng/shop/test"},
    {"dfs snapshot create", "gestalt dfs snapshot create data before-upgrade"},
    {"dfs snapshot list", "gestalt dfs snapshot list data --json"},
    {"dfs snapshot restore", "gestalt dfs snapshot restore data before-upgrade"},
    {"node show", "gestalt node show"},
    {"node preflight",
     "gestalt node preflight --peer n2 --peer n3\n"
     "  gestalt node preflight --waive mem.total='test machine' --strict --json"},
    {"node init", "gestalt node init"},
    {"audit verify", "gestalt audit verify /var/lib/gestalt/services/audit"},
};
constexpr const char* kExitStatuses =
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 the daemon does not answer,\n"
    "  5 no credentials or not enough rights, 6 the state forbids it, 7 not ended in time";

void add_examples(CLI::App& app) {
  app.footer(kExitStatuses);
  for (const Example& each : kExamples) {
    CLI::App* command = &app;
    for (const std::string_view word : base::split(each.command, ' ')) {
      command = command->get_subcommand(std::string(word));
    }
    command->footer("Example:\n  " + std::string(each.text) + "\n" + kExitStatuses);
  }
}

}  // namespace

int run_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  Session session{.out = out, .err = err};
  session.style.colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  session.style.width = ::isatty(STDOUT_FILENO) == 1 ? terminal_width() : 0;
  session.progress = ::isatty(STDERR_FILENO) == 1;

  CLI::App app("Gestalt: run and look after applications on this node or cluster", "gestalt");
  app.require_subcommand(1);
  app.fallthrough();  // global options may also follow the command
  app.set_version_flag("--version", GESTALT_VERSION);
  Choice choice{session, {}};
  add_global_options(app, session);
  CLI::App* status = app.add_subcommand("status", "Are the daemons well, do the applications run");
  status->callback([&choice] { choice.set([&choice] { return show_status(choice.session); }); });
  add_app_commands(app, choice);
  add_deployment_commands(app, choice);
  add_follow_commands(app, choice);
  add_netfw_commands(app, choice);
  add_dfs_commands(app, choice);
  add_resource_commands(app, choice);
  add_container_commands(app, choice);
  add_node_commands(app, choice);
  add_login_commands(app, choice);
  add_audit_commands(app, choice);
  add_examples(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    return app.exit(failure, out, err) == 0 ? 0 : static_cast<int>(Status::usage);
  }
  return choice.command();
}

}  // namespace cli
