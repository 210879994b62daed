package agent

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"thump/agent/check"
	"thump/agent/probe"
	"thump/agent/template"
	"thump/internal/control"
)

// checksAtATime bounds how many checks of a host run at a time.
const checksAtATime = 4

// task is one entry of a template.
type task struct {
	probe    probe.Probe
	interval time.Duration
	// key is what spreads the ticks: the host's name, and for a check its own too.
	key string
	// splay is how long after its start the task first runs; one with a splay has no warm-up.
	splay time.Duration
}

// toolbox makes tasks of a template. It belongs to one goroutine.
type toolbox struct {
	host   string
	probes []probe.Probe // that this host has, the agent's own among them
	env    check.Env
	checks map[string]opened // of the template made last, by name
}

// opened is a check and what it was made from.
type opened struct {
	spec  check.Spec
	check *check.Check
}

func newToolbox(cfg *Config, probes []probe.Probe) *toolbox {
	return &toolbox{
		host: cfg.Host, probes: probes, checks: map[string]opened{},
		env: check.Env{Slots: check.NewSlots(checksAtATime), AllowExec: cfg.allowExec},
	}
}

// known are the probes that a template may name.
func known() []string { return append(probe.Names(), selfName) }

// tasks are those of a template, and what of it this host cannot or will not do.
// A check that has not changed stays the same.
func (b *toolbox) tasks(t template.Template) (tasks []task, refused []control.Refusal) {
	for _, line := range t.Probes {
		p := b.probe(line.Name)
		if p == nil {
			refused = append(refused, control.Refusal{Name: "probe " + line.Name, Reason: "this host cannot have it"})
			continue
		}
		tasks = append(tasks, task{probe: p, interval: line.Interval.D(), key: b.host})
	}
	checks := map[string]opened{}
	for _, spec := range t.Checks {
		o, err := b.open(spec)
		if err != nil {
			refused = append(refused, control.Refusal{Name: "check " + spec.Name, Reason: err.Error()})
			continue
		}
		checks[spec.Name] = o
		c := o.check
		tasks = append(tasks, task{probe: c, interval: c.Interval(), key: b.host + "/" + c.Name(), splay: c.Splay()})
	}
	b.checks = checks
	return tasks, refused
}

func (b *toolbox) probe(name string) probe.Probe {
	i := slices.IndexFunc(b.probes, func(p probe.Probe) bool { return p.Name() == name })
	if i < 0 {
		return nil
	}
	return b.probes[i]
}

func (b *toolbox) open(spec check.Spec) (opened, error) {
	if o, ok := b.checks[spec.Name]; ok && reflect.DeepEqual(o.spec, spec) {
		return o, nil
	}
	c, err := check.New(spec, b.env)
	return opened{spec, c}, err
}

// allowExec is the agent's own word on the commands of templates: only those run
// that its configuration lists.
func (c *Config) allowExec(argv []string, user string) error {
	for _, allowed := range c.Exec {
		who, pattern := "", allowed
		if !strings.HasPrefix(allowed, "/") {
			who, pattern, _ = strings.Cut(allowed, ":")
		}
		if ok, err := path.Match(pattern, argv[0]); ok && err == nil && path.Clean(argv[0]) == argv[0] && user == who {
			return nil
		}
	}
	return fmt.Errorf("this agent's configuration (agent.exec) does not allow %s as user %q", argv[0], user)
}

// CheckTemplate tells what an agent of this version would refuse of a file of
// templates on any host.
func CheckTemplate(text []byte) []control.Refusal {
	_, refused, err := template.Parse(text, known())
	if err != nil {
		refused = append(refused, control.Refusal{Name: "template", Reason: err.Error()})
	}
	return refused
}
