package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"
)

// The limits that there are, of users and of virtual hosts.
var (
	userLimits  = []string{"max-channels", "max-connections"}
	vhostLimits = []string{"max-connections", "max-queues"}
)

func (c *ctl) limitVerbs() []*cobra.Command {
	return []*cobra.Command{
		verb("set_user_limits USER DEFINITION", `Limit what a user has open, e.g. {"max-connections": 5}`, cobra.ExactArgs(2), c.setUserLimits),
		verb("clear_user_limits USER LIMIT|all", "Clear limits of a user", cobra.ExactArgs(2), c.clearUserLimits),
		c.listUserLimitsVerb(),
		verb("set_vhost_limits DEFINITION", `Limit what a virtual host holds, e.g. {"max-queues": 100}`, cobra.ExactArgs(1), c.setVHostLimits),
		verb("clear_vhost_limits", "Clear the limits of a virtual host", cobra.NoArgs, c.clearVHostLimits),
		verb("list_vhost_limits", "List the limits of a virtual host", cobra.NoArgs, func(ctx context.Context, _ []string) error {
			return c.listLimits(ctx, "vhost", path("vhost-limits", c.vhost), c.vhost)
		}),
	}
}

func (c *ctl) setUserLimits(ctx context.Context, args []string) error {
	c.banner(`Setting user limits to "%s" for user "%s"`, args[1], args[0])
	if err := c.api.get(ctx, path("users", args[0]), nil); err != nil {
		return missing(err, "user %q does not exist", args[0])
	}
	return c.setLimits(ctx, args[1], userLimits, "user-limits", args[0])
}

func (c *ctl) setVHostLimits(ctx context.Context, args []string) error {
	c.banner(`Setting vhost limits to "%s" for vhost "%s"`, args[0], c.vhost)
	return c.setLimits(ctx, args[0], vhostLimits, "vhost-limits", c.vhost)
}

// setLimits sets what a definition names; the others stay.
func (c *ctl) setLimits(ctx context.Context, definition string, known []string, kind, subject string) error {
	var limits map[string]int
	if err := json.Unmarshal([]byte(definition), &limits); err != nil {
		return fmt.Errorf("the definition is not JSON with a number for each limit: %s", definition)
	}
	for name := range limits {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no limit %q, only %q", name, known)
		}
	}
	for name, value := range limits {
		if err := c.api.do(ctx, http.MethodPut, path(kind, subject, name), map[string]any{"value": value}, nil); err != nil {
			return missing(err, "Virtual host '%s' does not exist", subject)
		}
	}
	return nil
}

func (c *ctl) clearUserLimits(ctx context.Context, args []string) error {
	names := []string{args[1]}
	if args[1] == "all" {
		names = userLimits
		c.banner(`Clearing all limits for user "%s"`, args[0])
	} else {
		c.banner(`Clearing "%s" limit for user "%s"`, args[1], args[0])
	}
	if err := c.api.get(ctx, path("users", args[0]), nil); err != nil {
		return missing(err, "user %q does not exist", args[0])
	}
	return c.clearLimits(ctx, names, "user-limits", args[0])
}

func (c *ctl) clearVHostLimits(ctx context.Context, _ []string) error {
	c.banner(`Clearing vhost "%s" limits`, c.vhost)
	return c.clearLimits(ctx, vhostLimits, "vhost-limits", c.vhost)
}

func (c *ctl) clearLimits(ctx context.Context, names []string, kind, subject string) error {
	for _, name := range names {
		if err := c.api.do(ctx, http.MethodDelete, path(kind, subject, name), nil, nil); err != nil {
			return missing(err, "Virtual host '%s' does not exist", subject)
		}
	}
	return nil
}

func (c *ctl) listUserLimitsVerb() *cobra.Command {
	cmd := verb("list_user_limits", "List the limits of a user", cobra.NoArgs, nil)
	of := cmd.Flags().String("of", "guest", "the user whose limits are listed (rabbitmqctl: --user)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.listLimits(cmd.Context(), "user", path("user-limits", *of), *of)
	}
	return cmd
}

// listLimits prints limits as rabbitmqctl does: as one JSON object.
func (c *ctl) listLimits(ctx context.Context, kind, url, subject string) error {
	c.banner(`Listing limits for %s "%s"`, kind, subject)
	var found []struct{ Value map[string]int }
	if err := c.api.get(ctx, url, &found); err != nil {
		return missing(err, "%s %q does not exist", kind, subject)
	}
	limits := map[string]int{}
	for _, f := range found {
		limits = f.Value
	}
	text, err := json.Marshal(limits)
	if err != nil {
		return fmt.Errorf("encode limits: %w", err)
	}
	fmt.Fprintln(c.out, string(text))
	return nil
}
