// Package logging makes the logger that the parts of a program are given.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// Config says what is logged and how.
type Config struct {
	// Level is the least level that is logged: debug, info, warn or error.
	Level string `yaml:"level" flag:"log-level" usage:"least level that is logged: debug, info, warn, error"`
	// Format is text or json.
	Format string `yaml:"format" flag:"log-format" usage:"text or json"`
}

// DefaultConfig logs from info on, as text.
func DefaultConfig() Config { return Config{Level: "info", Format: "text"} }

// New returns the logger that cfg describes.
func New(w io.Writer, cfg Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log level %q is not one of debug, info, warn, error", cfg.Level)
	}
	o := &slog.HandlerOptions{Level: level}
	switch cfg.Format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log format %q is not one of text, json", cfg.Format)
}

// Library returns a logger for a library that says more than a user of the
// program wants to know: what it logs below warn shows at level debug only.
func Library(log *slog.Logger) *slog.Logger { return slog.New(library{log.Handler()}) }

type library struct{ slog.Handler }

// Enabled implements slog.Handler.
func (l library) Enabled(ctx context.Context, level slog.Level) bool {
	if level < slog.LevelWarn {
		level = slog.LevelDebug
	}
	return l.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (l library) WithAttrs(attrs []slog.Attr) slog.Handler {
	return library{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (l library) WithGroup(name string) slog.Handler { return library{l.Handler.WithGroup(name)} }
