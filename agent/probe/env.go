package probe

import (
	"context"

	"github.com/shirou/gopsutil/v3/common"
)

// env tells gopsutil where proc and sys are.
type env struct{ paths common.EnvMap }

func newEnv(o Options) env {
	return env{common.EnvMap{common.HostProcEnvKey: o.Proc, common.HostSysEnvKey: o.Sys}}
}

func (e env) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, common.EnvKey, e.paths)
}
