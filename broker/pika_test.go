package broker_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"
)

// python is the interpreter that Debian's python3-pika belongs to.
const python = "/usr/bin/python3"

func TestPika(t *testing.T) {
	if err := exec.Command(python, "-c", "import pika").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3-pika is not installed:", err)
		}
		t.Skip("python3-pika is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, python, "testdata/pika_client.py", start(t).url()).CombinedOutput()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("pika_client.py: %v\n%s", err, out)
	}
}
