package command

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"thump/internal/config"
	"thump/internal/control"
)

// Config says which remote commands an agent runs. By default: none.
type Config struct {
	// Key is the public key of the server, ed25519 in base64, whose requests are
	// taken; `thump-agent join` writes it. Default: none, no request is taken.
	Key string `yaml:"key"`
	// Allow lists the commands: the absolute path of a program and its arguments, word
	// by word. In an argument * stands for any characters but /, ? for one of them, [a-z]
	// for one of those; an argument that begins with - matches only a pattern that
	// begins with - too. Default: none, no command is run.
	Allow [][]string `yaml:"allow"`
	// User that commands run as. Default: the agent's own; another needs an agent
	// that runs as root.
	User string `yaml:"user"`
	// Timeout is the longest that a command may run, whatever is asked. Default 30s.
	Timeout config.Duration `yaml:"timeout"`
	// MaxOutput is how much of what a command prints is sent, for each of its two
	// outputs. Default 64KiB.
	MaxOutput config.Bytes `yaml:"max_output"`
}

// DefaultConfig runs nothing.
func DefaultConfig() Config {
	return Config{Timeout: config.Duration(30 * time.Second), MaxOutput: 64 << 10}
}

// mostOutput keeps an answer within what a message may hold, when every byte of it
// needs six in JSON.
const mostOutput = 80 << 10

// Check tells what is wrong with the configuration.
func (c *Config) Check() error {
	if _, err := c.key(); err != nil {
		return err
	}
	switch {
	case c.Timeout.D() < time.Second || c.Timeout.D() > control.MaxCommandTimeout:
		return fmt.Errorf("commands: timeout %s, want 1s to %s", c.Timeout, control.MaxCommandTimeout)
	case c.MaxOutput < 1 || c.MaxOutput > mostOutput:
		return fmt.Errorf("commands: max_output %s, want at most %s", c.MaxOutput, config.Bytes(mostOutput))
	}
	for _, line := range c.Allow {
		if err := checkLine(line); err != nil {
			return fmt.Errorf("commands: allow %q: %w", line, err)
		}
	}
	return nil
}

func checkLine(line []string) error {
	if len(line) == 0 || !filepath.IsAbs(line[0]) {
		return errors.New("want the absolute path of a program first")
	}
	for _, word := range line[1:] {
		if _, err := path.Match(word, ""); err != nil {
			return fmt.Errorf("argument %q: %w", word, err)
		}
	}
	return nil
}

// key is the server's, nil if there is none.
func (c *Config) key() (ed25519.PublicKey, error) {
	if c.Key == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(c.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("commands: key %q: want %d bytes in base64", c.Key, ed25519.PublicKeySize)
	}
	return key, nil
}

// allowed returns what to run for a request: the first line that matches says which
// program it is, by its path or by the last part of it.
func (c *Config) allowed(argv []string) ([]string, bool) {
	for _, line := range c.Allow {
		if matches(line, argv) {
			return append([]string{line[0]}, argv[1:]...), true
		}
	}
	return nil, false
}

func matches(line, argv []string) bool {
	if len(line) != len(argv) || argv[0] != line[0] && argv[0] != filepath.Base(line[0]) {
		return false
	}
	for i, pattern := range line[1:] {
		arg := argv[i+1]
		if strings.HasPrefix(arg, "-") && !strings.HasPrefix(pattern, "-") { // no option where a name is meant
			return false
		}
		if ok, err := path.Match(pattern, arg); !ok || err != nil {
			return false
		}
	}
	return true
}
