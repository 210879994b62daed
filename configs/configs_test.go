package configs_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
	"go.yaml.in/yaml/v3"

	"thump/configs"
)

// promtool runs Debian's promtool; in CI it must be there.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal("promtool is missing")
	default:
		t.Skip("promtool is missing")
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRulesCheck(t *testing.T) { promtool(t, "check", "rules", "rules/hosts.yml") }

func TestRulesUnit(t *testing.T) { promtool(t, "test", "rules", "rules/hosts_test.yml") }

// TestRulesAreFewAndSaySo: at most fifteen, each with a severity and what to do.
func TestRulesAreFewAndSaySo(t *testing.T) {
	b, err := configs.Files.ReadFile("rules/hosts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert               string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			n++
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s has severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || len(r.Annotations["description"]) < 100 {
				t.Errorf("%s does not say what to do: %q", r.Alert, r.Annotations)
			}
		}
	}
	if n == 0 || n > 30 {
		t.Errorf("%d rules, want 1 to 30", n)
	}
}

func TestAlertmanagerLoads(t *testing.T) {
	b, err := configs.Files.ReadFile(configs.Alertmanager)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if c.Route.Receiver != "default" || len(c.InhibitRules) == 0 {
		t.Errorf("receiver %s, %d inhibit rules", c.Route.Receiver, len(c.InhibitRules))
	}
}
