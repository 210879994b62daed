package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"regexp"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"

	"thump/configs"
)

// plan is what an alertmanager.yml says, read and checked to the end: nothing of
// it can fail any more.
type plan struct {
	conf         *config.Config
	templates    *template.Template
	routes       *dispatch.Route
	integrations map[string][]amnotify.Integration // by receiver
	intervals    map[string][]timeinterval.TimeInterval
}

// read reads the configuration file, or the shipped one if there is none.
func (n *Notifier) read() (*plan, error) {
	name, load := n.cfg.File(), config.LoadFile
	if name == "" {
		name, load = configs.Alertmanager, loadShipped
	}
	conf, err := load(name)
	if err != nil {
		return nil, explain(name, err)
	}
	p, err := n.plan(conf)
	if err != nil {
		return nil, fmt.Errorf("alertmanager configuration %s: %w", name, err)
	}
	return p, nil
}

// Check tells what is wrong with an alertmanager.yml.
func Check(name string, log *slog.Logger) error {
	n := Notifier{cfg: Config{File: func() string { return name }, ExternalURL: &url.URL{}}, log: log}
	_, err := n.read()
	return err
}

func loadShipped(name string) (*config.Config, error) {
	b, err := fs.ReadFile(configs.Files, name)
	if err != nil {
		return nil, err
	}
	return config.Load(string(b))
}

func (n *Notifier) plan(conf *config.Config) (*plan, error) {
	p := &plan{
		conf: conf, routes: dispatch.NewRoute(conf.Route, nil),
		integrations: map[string][]amnotify.Integration{},
		intervals:    map[string][]timeinterval.TimeInterval{},
	}
	var err error
	if p.templates, err = template.FromGlobs(conf.Templates); err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	p.templates.ExternalURL = n.cfg.ExternalURL
	for _, r := range conf.Receivers {
		if p.integrations[r.Name], err = receiver.BuildReceiverIntegrations(r, p.templates, n.log); err != nil {
			return nil, fmt.Errorf("receiver %q: %w", r.Name, err)
		}
	}
	for _, t := range conf.MuteTimeIntervals {
		p.intervals[t.Name] = t.TimeIntervals
	}
	for _, t := range conf.TimeIntervals {
		p.intervals[t.Name] = t.TimeIntervals
	}
	p.routes.Walk(n.warnOfRepeat)
	return p, nil
}

// warnOfRepeat warns of a route that would repeat sooner than it says, since by
// then it is forgotten that it was notified.
func (n *Notifier) warnOfRepeat(r *dispatch.Route) {
	if r.RouteOpts.RepeatInterval > retention {
		n.log.Warn("repeat_interval is longer than notifications are remembered",
			"route", r.Key(), "repeat_interval", r.RouteOpts.RepeatInterval, "remembered", retention)
	}
}

// retention is for how long it is known that somebody was notified, and for how
// long an expired silence is shown.
const retention = 5 * 24 * time.Hour

var (
	unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type \S+`)
	yamlPrefix   = regexp.MustCompile(`^yaml: (unmarshal errors:\n\s*)?`)
)

// explain names the file, and says an unknown key in the reader's words rather
// than Go's.
func explain(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read alertmanager configuration: %w", err)
	}
	text := yamlPrefix.ReplaceAllString(err.Error(), "")
	return fmt.Errorf("alertmanager configuration %s: %s", name, unknownField.ReplaceAllString(text, `line $1: unknown key "$2"`))
}
