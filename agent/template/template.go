// Package template says what an agent measures and how often.
package template

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"thump/agent/check"
	"thump/internal/config"
)

// MinInterval is the shortest interval of a probe.
const MinInterval = time.Second

// Template is what an agent is to do.
type Template struct {
	// Probes that run; one that is not named does not.
	Probes []Probe `yaml:"probes"`
	// Checks that run besides.
	Checks []check.Spec `yaml:"checks"`
}

// Probe says how often one probe runs.
type Probe struct {
	// Name of the probe: cpu, memory, load, filesystem, disk, network, host, agent.
	Name string `yaml:"name"`
	// Interval from one run to the next, at least 1s.
	Interval config.Duration `yaml:"interval"`
}

// Default is the template of an agent that no server has given another:
// configs/templates/default.yaml.
func Default() Template {
	const often, seldom = config.Duration(10 * time.Second), config.Duration(30 * time.Second)
	return Template{Probes: []Probe{
		{"agent", often}, {"cpu", often}, {"memory", often}, {"load", often}, {"network", often},
		{"disk", often}, {"host", often}, {"pressure", often}, {"netstat", often},
		{"filesystem", seldom}, {"system", seldom}, {"hardware", seldom}, {"raid", seldom},
		{"users", seldom}, {"textfile", seldom},
	}}
}

// Check tells what is wrong with a template for an agent that has the probes known.
func (t Template) Check(known []string) error {
	var all []error
	seen := map[string]bool{}
	for _, p := range t.Probes {
		err := p.check(known)
		switch {
		case err != nil:
			all = append(all, fmt.Errorf("template: %w", err))
		case seen[p.Name]:
			all = append(all, fmt.Errorf("template: probe %q twice", p.Name))
		}
		seen[p.Name] = true
	}
	names := map[string]bool{}
	for _, c := range t.Checks {
		if err := c.Validate(); err != nil {
			all = append(all, fmt.Errorf("template: %w", err))
		}
		if names[c.Name] {
			all = append(all, fmt.Errorf("template: check %q twice", c.Name))
		}
		names[c.Name] = true
	}
	return errors.Join(all...)
}

func (p *Probe) check(known []string) error {
	switch {
	case !slices.Contains(known, p.Name):
		return fmt.Errorf("unknown probe %q, want one of %q", p.Name, known)
	case p.Interval.D() < MinInterval:
		return fmt.Errorf("probe %q every %s, want at least %s", p.Name, p.Interval, MinInterval)
	}
	return nil
}
