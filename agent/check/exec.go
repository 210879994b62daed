package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"thump/agent/child"
	"thump/internal/config"
)

// Exec runs a command and reads what it prints. Its exit code is the state, as
// Nagios numbers it: 0 ok, 1 warning, 2 critical, anything else unknown.
type Exec struct {
	// Command is the program's absolute path and its arguments; no shell reads them.
	Command []string `yaml:"command"`
	// Shell makes Command one line for /bin/sh.
	Shell bool `yaml:"shell"`
	// Format of what it prints: nagios (default), prometheus, influx, json or none.
	Format string `yaml:"format"`
	// User that it runs as; default: the agent's own.
	User string `yaml:"user"`
	// Env is added to PATH, LANG, LC_ALL and HOME: nothing of the agent's own is passed on.
	Env map[string]string `yaml:"env"`
	// MaxOutput is how much of what it prints is read; default 256KiB, at most 4MiB.
	MaxOutput config.Bytes `yaml:"max_output"`
}

const (
	defaultMaxOutput = 256 << 10
	maxMaxOutput     = 4 << 20
	maxArguments     = 64 << 10 // bytes
	shellPath        = "/bin/sh"
)

// parser reads what a command printed.
type parser func(o *output, text string) error

var parsers = map[string]parser{
	"nagios":     nil, // whose text matters too
	"prometheus": parseExposition,
	"influx":     parseInflux,
	"json":       parseJSON,
	"none":       func(*output, string) error { return nil },
}

func (e *Exec) validate(p *problems) {
	if len(e.Command) == 0 || e.Command[0] == "" {
		p.add("exec: command: is empty")
	} else if e.Shell && len(e.Command) != 1 {
		p.add("exec: command: %d strings, want one line for the shell", len(e.Command))
	} else if !e.Shell && !filepath.IsAbs(e.Command[0]) {
		p.add("exec: command: %q is no absolute path", e.Command[0])
	}
	size := 0
	for _, arg := range e.Command {
		size += len(arg)
		if strings.ContainsRune(arg, 0) {
			p.add("exec: command: %q holds a zero byte", arg)
		}
	}
	if size > maxArguments {
		p.add("exec: command: %d bytes, more than %d", size, maxArguments)
	}
	if _, known := parsers[e.format()]; !known {
		p.add("exec: format: %q, want nagios, prometheus, influx, json or none", e.Format)
	}
	if e.MaxOutput < 0 || e.MaxOutput > maxMaxOutput {
		p.add("exec: max_output: %s, want at most %s", e.MaxOutput, config.Bytes(maxMaxOutput))
	}
	for name, value := range e.Env {
		if !validLabel.MatchString(name) || strings.ContainsRune(value, 0) {
			p.add("exec: env: %q is no name or its value holds a zero byte", name)
		}
	}
}

func (e *Exec) format() string { return cmp.Or(e.Format, "nagios") }

func (e *Exec) open(_ *Spec, env Env) (runner, error) {
	argv := e.Command
	if e.Shell {
		argv = []string{shellPath, "-c", e.Command[0]}
	}
	if env.AllowExec != nil {
		if err := env.AllowExec(argv, e.User); err != nil {
			return nil, fmt.Errorf("command refused: %w", err)
		}
	}
	who, err := child.FindAccount(e.User)
	if err != nil {
		return nil, err
	}
	c := &command{
		program: child.Program{Argv: argv, Account: who}, format: e.format(), limit: int(cmp.Or(e.MaxOutput, defaultMaxOutput)),
	}
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		c.program.Env = append(c.program.Env, name+"="+e.Env[name])
	}
	return c, nil
}

// command runs an Exec. It is static after construction.
type command struct {
	program child.Program
	format  string
	limit   int // bytes of output
}

// run implements runner.
func (c *command) run(ctx context.Context, o *output) (verdict, error) {
	stdout, stderr := child.Head{Limit: c.limit}, child.Head{Limit: 4 * maxText}
	code, err := c.program.Run(ctx, &stdout, &stderr)
	if err != nil {
		return verdict{unknown, err.Error()}, err
	}
	return c.read(o, exitState(code), &stdout, &stderr)
}

// exitState is what an exit code means; -1 is a signal.
func exitState(code int) state {
	if code < 0 || code >= int(unknown) {
		return unknown
	}
	return state(code)
}

// read turns what was printed into samples and a verdict.
func (c *command) read(o *output, s state, stdout, stderr *child.Head) (verdict, error) {
	text := stdout.String()
	fallback, _, _ := strings.Cut(stderr.String(), "\n")
	var tooMuch error
	if stdout.Cut {
		tooMuch = fmt.Errorf("output of more than %d bytes", c.limit)
	}
	if c.format == "nagios" {
		if stdout.Cut { // perhaps in the midst of a number
			text = text[:max(strings.LastIndexAny(text, " \n"), 0)]
		}
		first, values, err := parsePlugin(text)
		for i := range values {
			values[i].add(o)
		}
		return verdict{s, cmp.Or(first, fallback, s.String())}, errors.Join(err, tooMuch)
	}
	v := verdict{s, cmp.Or(fallback, s.String())}
	if tooMuch != nil && c.format != "none" {
		v.worse(unknown, "%v", tooMuch)
		return v, tooMuch
	}
	if err := parsers[c.format](o, text); err != nil {
		v.worse(unknown, "%v", err)
		return v, fmt.Errorf("read %s: %w", c.format, err)
	}
	return v, nil
}
