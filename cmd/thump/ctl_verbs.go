package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"thump/internal/process"
)

// verbs are those that change something, and status.
func (c *ctl) verbs() []*cobra.Command {
	list := append(c.userVerbs(), c.vhostVerbs()...)
	list = append(list, c.policyVerbs()...)
	list = append(list, c.limitVerbs()...)
	return append(list, c.queueVerbs()...)
}

// verb is a command of rabbitmqctl. Its banner is filled in with the arguments
// that its verbs name.
func verb(use, short string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		return run(cmd.Context(), args)
	}}
}

// missing says in rabbitmqctl's words that what a verb is about does not exist.
func missing(err error, format string, args ...any) error {
	if statusOf(err) == http.StatusNotFound {
		return fmt.Errorf(format, args...)
	}
	return err
}

func (c *ctl) userVerbs() []*cobra.Command {
	return []*cobra.Command{
		verb("add_user USER [PASSWORD]", "Add a user; without a password it is read from the input", cobra.RangeArgs(1, 2), c.addUser),
		verb("delete_user USER", "Delete a user", cobra.ExactArgs(1), c.deleteUser),
		verb("change_password USER [PASSWORD]", "Change the password of a user", cobra.RangeArgs(1, 2), c.changePassword),
		verb("authenticate_user USER [PASSWORD]", "Check a password", cobra.RangeArgs(1, 2), c.authenticateUser),
		verb("set_user_tags USER [TAG…]", "Set the tags of a user", cobra.MinimumNArgs(1), c.setUserTags),
	}
}

// password is the second argument, or the first line of the input.
func password(args []string) (string, error) {
	if len(args) > 1 {
		return args[1], nil
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && line == "" {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func (c *ctl) addUser(ctx context.Context, args []string) error {
	secret, err := password(args)
	if err != nil {
		return err
	}
	c.banner(`Adding user "%s"`, args[0])
	switch err := c.api.get(ctx, path("users", args[0]), nil); {
	case err == nil:
		return fmt.Errorf("user %q already exists", args[0])
	case statusOf(err) != http.StatusNotFound:
		return err
	}
	if err := c.api.do(ctx, http.MethodPut, path("users", args[0]), map[string]any{"password": secret, "tags": ""}, nil); err != nil {
		return err
	}
	c.say("Done. Don't forget to grant the user permissions to some virtual hosts! See 'thump ctl set_permissions --help' to learn more.")
	return nil
}

func (c *ctl) deleteUser(ctx context.Context, args []string) error {
	c.banner(`Deleting user "%s"`, args[0])
	return missing(c.api.do(ctx, http.MethodDelete, path("users", args[0]), nil, nil), "user %q does not exist", args[0])
}

// replaceUser changes some of what the API holds of a user.
func (c *ctl) replaceUser(ctx context.Context, name string, change func(user map[string]any)) error {
	var user map[string]any
	if err := c.api.get(ctx, path("users", name), &user); err != nil {
		return missing(err, "user %q does not exist", name)
	}
	change(user)
	return c.api.do(ctx, http.MethodPut, path("users", name), user, nil)
}

func (c *ctl) changePassword(ctx context.Context, args []string) error {
	secret, err := password(args)
	if err != nil {
		return err
	}
	c.banner(`Changing password for user "%s"`, args[0])
	return c.replaceUser(ctx, args[0], func(user map[string]any) {
		delete(user, "password_hash")
		user["password"] = secret
	})
}

func (c *ctl) setUserTags(ctx context.Context, args []string) error {
	c.banner(`Setting tags for user "%s" to [%s]`, args[0], strings.Join(args[1:], ", "))
	return c.replaceUser(ctx, args[0], func(user map[string]any) { user["tags"] = strings.Join(args[1:], ",") })
}

func (c *ctl) authenticateUser(ctx context.Context, args []string) error {
	secret, err := password(args)
	if err != nil {
		return err
	}
	c.banner(`Authenticating user "%s"`, args[0])
	err = c.api.do(ctx, http.MethodPost, path("users", args[0], "authenticate"), map[string]any{"password": secret}, nil)
	if statusOf(err) == http.StatusForbidden {
		return fmt.Errorf("failed to authenticate user %q\nuser '%s' - invalid credentials", args[0], args[0])
	}
	if err == nil {
		c.say("Success")
	}
	return err
}

func (c *ctl) vhostVerbs() []*cobra.Command {
	return []*cobra.Command{
		verb("add_vhost VHOST", "Add a virtual host", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			c.banner(`Adding vhost "%s"`, args[0])
			return c.api.do(ctx, http.MethodPut, path("vhosts", args[0]), nil, nil)
		}),
		verb("delete_vhost VHOST", "Delete a virtual host with all that is in it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			c.banner(`Deleting vhost "%s"`, args[0])
			return missing(c.api.do(ctx, http.MethodDelete, path("vhosts", args[0]), nil, nil), "Virtual host '%s' does not exist", args[0])
		}),
		verb("set_permissions USER CONFIGURE WRITE READ", "Set what a user may do in a virtual host", cobra.ExactArgs(4), c.setPermissions),
		verb("clear_permissions USER", "Shut a user out of a virtual host", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			c.banner(`Clearing permissions for user "%s" in vhost "%s"`, args[0], c.vhost)
			return missing(c.api.do(ctx, http.MethodDelete, path("permissions", c.vhost, args[0]), nil, nil),
				"user %q has no permissions in vhost %q", args[0], c.vhost)
		}),
	}
}

func (c *ctl) setPermissions(ctx context.Context, args []string) error {
	c.banner(`Setting permissions for user "%s" in vhost "%s"`, args[0], c.vhost)
	p := map[string]any{"configure": args[1], "write": args[2], "read": args[3]}
	return missing(c.api.do(ctx, http.MethodPut, path("permissions", c.vhost, args[0]), p, nil), "Virtual host '%s' does not exist", c.vhost)
}

func (c *ctl) policyVerbs() []*cobra.Command {
	set := func(use, kind string) *cobra.Command {
		priority, applyTo := 0, "all"
		cmd := verb(use+" NAME PATTERN DEFINITION", "Set "+kind, cobra.ExactArgs(3), func(ctx context.Context, args []string) error {
			c.banner(`Setting %s "%s" for pattern "%s" to "%s" with priority "%d" for vhost "%s"`, kind, args[0], args[1], args[2], priority, c.vhost)
			if !json.Valid([]byte(args[2])) {
				return fmt.Errorf("the definition is not JSON: %s", args[2])
			}
			p := map[string]any{"pattern": args[1], "definition": json.RawMessage(args[2]), "priority": priority, "apply-to": applyTo}
			return c.api.do(ctx, http.MethodPut, path(policyPath(use), c.vhost, args[0]), p, nil)
		})
		cmd.Flags().IntVar(&priority, "priority", 0, "the policy of the highest priority applies")
		cmd.Flags().StringVar(&applyTo, "apply-to", "all", "queues, exchanges or all")
		return cmd
	}
	clearing := func(use, kind string) *cobra.Command {
		return verb(use+" NAME", "Clear "+kind, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			c.banner(`Clearing %s "%s" on vhost "%s"`, kind, args[0], c.vhost)
			return missing(c.api.do(ctx, http.MethodDelete, path(policyPath(use), c.vhost, args[0]), nil, nil), "%s not found", kind)
		})
	}
	return []*cobra.Command{
		set("set_policy", "policy"), clearing("clear_policy", "policy"),
		set("set_operator_policy", "operator policy override"), clearing("clear_operator_policy", "operator policy"),
	}
}

func policyPath(verb string) string {
	if strings.Contains(verb, "operator") {
		return "operator-policies"
	}
	return "policies"
}

func (c *ctl) queueVerbs() []*cobra.Command {
	return []*cobra.Command{
		verb("purge_queue QUEUE", "Drop the ready messages of a queue", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			c.banner("Purging queue '%s' in vhost '%s'", args[0], c.vhost)
			return missing(c.api.do(ctx, http.MethodDelete, path("queues", c.vhost, args[0], "contents"), nil, nil), "Queue not found")
		}),
		c.deleteQueueVerb(),
		verb("close_connection CONNECTION REASON", "Send a client away", cobra.ExactArgs(2), c.closeConnection),
		verb("export_definitions FILE", "Write users, permissions and the topology to a file, - for the output", cobra.ExactArgs(1), c.exportDefinitions),
		verb("import_definitions [FILE]", "Create what a file from export_definitions lists", cobra.MaximumNArgs(1), c.importDefinitions),
		verb("status", "Show the state of the broker", cobra.NoArgs, c.status),
		verb("version", "Show the version of this program", cobra.NoArgs, func(context.Context, []string) error {
			fmt.Fprintln(c.out, process.Version)
			return nil
		}),
	}
}

func (c *ctl) deleteQueueVerb() *cobra.Command {
	var ifEmpty, ifUnused bool
	cmd := verb("delete_queue QUEUE", "Delete a queue", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c.banner("Deleting queue '%s' on vhost '%s'", args[0], c.vhost)
		queue := path("queues", c.vhost, args[0])
		var q struct {
			Ready json.Number `json:"messages_ready"`
		}
		if err := c.api.get(ctx, queue, &q); err != nil {
			return missing(err, "Queue not found")
		}
		query := fmt.Sprintf("?if-empty=%t&if-unused=%t", ifEmpty, ifUnused)
		if err := c.api.do(ctx, http.MethodDelete, queue+query, nil, nil); err != nil {
			return missing(err, "Queue not found")
		}
		c.say("Queue was successfully deleted with %s ready messages", q.Ready)
		return nil
	})
	cmd.Flags().BoolVarP(&ifEmpty, "if-empty", "e", false, "only if it has no ready messages")
	cmd.Flags().BoolVarP(&ifUnused, "if-unused", "u", false, "only if it has no consumers")
	return cmd
}

func (c *ctl) closeConnection(ctx context.Context, args []string) error {
	c.banner("Closing connection %s, reason: %s", args[0], args[1])
	return missing(c.api.do(ctx, http.MethodDelete, path("connections", args[0])+"?reason="+queryEscape(args[1]), nil, nil),
		"connection %q does not exist", args[0])
}

func (c *ctl) exportDefinitions(ctx context.Context, args []string) error {
	if args[0] != "-" {
		c.banner("Exporting definitions in JSON to a file at \"%s\"", args[0])
	}
	var all map[string]any
	if err := c.api.get(ctx, path("definitions"), &all); err != nil {
		return err
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode definitions: %w", err)
	}
	if args[0] == "-" {
		fmt.Fprintln(c.out, string(text))
		return nil
	}
	if err := os.WriteFile(args[0], append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write definitions: %w", err)
	}
	return nil
}

func (c *ctl) importDefinitions(ctx context.Context, args []string) error {
	file := "/dev/stdin"
	if len(args) > 0 && args[0] != "-" {
		file = args[0]
	}
	c.banner("Importing definitions in JSON from a file at \"%s\"", file)
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read definitions: %w", err)
	}
	if err := c.api.do(ctx, http.MethodPost, path("definitions"), text, nil); err != nil {
		return err
	}
	c.say("Successfully imported the definitions.")
	return nil
}
