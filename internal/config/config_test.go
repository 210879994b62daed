package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

type inner struct {
	Keep Duration `yaml:"keep" flag:"inner-keep" usage:"how long"`
	Size Bytes    `yaml:"size" flag:"inner-size" usage:"how much"`
}

type outer struct {
	Name  string   `yaml:"name" flag:"name" usage:"who"`
	URLs  []string `yaml:"urls" flag:"urls" usage:"where"`
	Inner inner    `yaml:"inner"`
}

func load(t *testing.T, file string, env map[string]string, args ...string) (outer, error) {
	t.Helper()
	cfg := outer{Name: "default", URLs: []string{"a"}, Inner: inner{Keep: Duration(time.Hour), Size: 1 << 20}}
	flags := pflag.NewFlagSet("t", pflag.ContinueOnError)
	Bind(flags, &cfg)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "thump.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := Load(flags, path, func(k string) (string, bool) { v, ok := env[k]; return v, ok }, &cfg)
	return cfg, err
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	const file = "name: file\nurls: [f]\ninner:\n  keep: 2d\n"
	env := map[string]string{"THUMP_NAME": "env", "THUMP_URLS": "e1,e2"}
	cfg, err := load(t, file, env, "--name", "flag")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Name != "flag" {
		t.Errorf("name %q, want the flag's", cfg.Name)
	}
	if got := strings.Join(cfg.URLs, " "); got != "e1 e2" {
		t.Errorf("urls %q, want the environment's", got)
	}
	if cfg.Inner.Keep.D() != 48*time.Hour {
		t.Errorf("keep %v, want the file's 48h", cfg.Inner.Keep)
	}
	if cfg.Inner.Size != 1<<20 {
		t.Errorf("size %v, want the default", cfg.Inner.Size)
	}
}

func TestUnknownKeyNamesFileAndLine(t *testing.T) {
	_, err := load(t, "name: x\ninner:\n  kepp: 2d\n", nil)
	if err == nil || !strings.Contains(err.Error(), "thump.yaml") || !strings.Contains(err.Error(), `line 3: unknown key "kepp"`) {
		t.Errorf("got %v, want the file, the line and the key", err)
	}
}

func TestBadValueNamesTheVariable(t *testing.T) {
	_, err := load(t, "", map[string]string{"THUMP_INNER_SIZE": "many"})
	if err == nil || !strings.Contains(err.Error(), "THUMP_INNER_SIZE") {
		t.Errorf("got %v, want the variable's name", err)
	}
}

func TestUnits(t *testing.T) {
	var d Duration
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "15d": 360 * time.Hour, "2w": 336 * time.Hour} {
		if err := d.Set(text); err != nil || d.D() != want {
			t.Errorf("duration %s is %v, %v; want %v", text, d.D(), err, want)
		}
	}
	var b Bytes
	for text, want := range map[string]Bytes{"512": 512, "64KiB": 65536, "2GiB": 2 << 30, "1MB": 1e6, "3B": 3} {
		if err := b.Set(text); err != nil || b != want {
			t.Errorf("size %s is %d, %v; want %d", text, b, err, want)
		}
	}
	for _, bad := range []string{"", "d", "-1d", "1x"} {
		if d.Set(bad) == nil {
			t.Errorf("duration %q was taken", bad)
		}
	}
	for _, bad := range []string{"", "GiB", "-1", "99999999999TiB"} {
		if b.Set(bad) == nil {
			t.Errorf("size %q was taken", bad)
		}
	}
	if got := Bytes(256 << 20).String(); got != "256MiB" {
		t.Errorf("256 MiB prints as %s", got)
	}
}
