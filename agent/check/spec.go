package check

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"thump/internal/config"
)

// Limits of a Spec.
const (
	MinInterval     = time.Second
	DefaultInterval = time.Minute
	DefaultTimeout  = 10 * time.Second
	MaxLabels       = 32 // that a check adds
)

// Spec is one check of a template. Exactly one of the kinds is set.
type Spec struct {
	// Name of the check, label check of its series: lower-case letters, digits, - and _, at most 63.
	Name string `yaml:"name"`
	// Interval from one run to the next, at least 1s; default 1m.
	Interval config.Duration `yaml:"interval"`
	// Timeout of one run; default 10s, or the interval if that is shorter.
	Timeout config.Duration `yaml:"timeout"`
	// Labels are put on every series of the check.
	Labels map[string]string `yaml:"labels"`

	Exec    *Exec    `yaml:"exec"`
	Scrape  *Scrape  `yaml:"scrape"`
	HTTP    *HTTP    `yaml:"http"`
	TCP     *TCP     `yaml:"tcp"`
	TLS     *TLS     `yaml:"tls"`
	DNS     *DNS     `yaml:"dns"`
	Ping    *Ping    `yaml:"ping"`
	Process *Process `yaml:"process"`
	File    *File    `yaml:"file"`
}

// kind is what a Spec asks for.
type kind interface {
	// validate adds what is wrong with the settings to all.
	validate(all *problems)
	// open prepares the runner, or tells why this host cannot or will not run it.
	open(s *Spec, env Env) (runner, error)
}

// kinds are those set in s.
func (s *Spec) kinds() (set []kind) {
	for _, k := range []kind{s.Exec, s.Scrape, s.HTTP, s.TCP, s.TLS, s.DNS, s.Ping, s.Process, s.File} {
		if !reflect.ValueOf(k).IsNil() {
			set = append(set, k)
		}
	}
	return set
}

// problems collects what is wrong with one check.
type problems struct {
	check string
	all   []error
}

func (p *problems) add(format string, args ...any) {
	p.all = append(p.all, fmt.Errorf("check %s: "+format, append([]any{p.check}, args...)...))
}

var (
	validName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	validLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// Validate tells everything that is wrong with a check, whatever host it is for.
func (s Spec) Validate() error {
	p := &problems{check: cmp.Or(s.Name, `""`)}
	if !validName.MatchString(s.Name) {
		p.add("name: want %s", validName)
	}
	if s.interval() < MinInterval {
		p.add("interval: %s, want at least %s", s.Interval, MinInterval)
	}
	if t := s.timeout(); t <= 0 || t > s.interval() {
		p.add("timeout: %s, want more than 0 and at most the interval, %s", t, s.interval())
	}
	s.validateLabels(p)
	set := s.kinds()
	if len(set) != 1 {
		p.add("has %d kinds, want one of exec, scrape, http, tcp, tls, dns, ping, process, file", len(set))
	}
	for _, k := range set {
		k.validate(p)
	}
	return errors.Join(p.all...)
}

func (s *Spec) validateLabels(p *problems) {
	if len(s.Labels) > MaxLabels {
		p.add("labels: %d, more than %d", len(s.Labels), MaxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		switch {
		case !validLabel.MatchString(name) || strings.HasPrefix(name, "__"):
			p.add("labels: %q is no label name", name)
		case name == "instance" || name == "group" || name == "check":
			p.add("labels: %q cannot be set", name)
		case len(s.Labels[name]) > maxLabelValue:
			p.add("labels: %s has %d bytes, more than %d", name, len(s.Labels[name]), maxLabelValue)
		}
	}
}

func (s *Spec) interval() time.Duration { return cmp.Or(s.Interval.D(), DefaultInterval) }

func (s *Spec) timeout() time.Duration {
	return cmp.Or(s.Timeout.D(), min(DefaultTimeout, s.interval()))
}

// outputLabels are added to what the check reads. What another exporter says of
// itself is a job of its own.
func (s *Spec) outputLabels() map[string]string {
	if s.Scrape == nil || s.Labels["job"] != "" {
		return s.Labels
	}
	labels := map[string]string{"job": s.Name}
	maps.Copy(labels, s.Labels)
	return labels
}
