// Command thump is the whole pipeline in one program, and each of its parts
// alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "thump:", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// exitCode tells a script that there is no data (2) from a failure (1).
func exitCode(err error) int {
	if errors.Is(err, errNoData) {
		return 2
	}
	return 1
}
