package process

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

type order struct {
	mu   sync.Mutex
	ends []string
}

func (o *order) stage(name string, err error) Stage {
	return Stage{Name: name, Run: func(ctx context.Context) error {
		if err == nil {
			<-ctx.Done()
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.ends = append(o.ends, name)
		return err
	}}
}

func TestStagesEndInOppositeOrder(t *testing.T) {
	var o order
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := RunStages(ctx, []Stage{o.stage("broker", nil), o.stage("collector", nil), o.stage("agent", nil)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"agent", "collector", "broker"}; !slices.Equal(o.ends, want) {
		t.Errorf("ended in order %v, want %v", o.ends, want)
	}
}

func TestOneFailingStageEndsAll(t *testing.T) {
	var o order
	broken := errors.New("broken")
	err := RunStages(t.Context(), []Stage{o.stage("broker", nil), o.stage("collector", broken), o.stage("agent", nil)})
	if !errors.Is(err, broken) || err.Error() != "collector: broken" {
		t.Errorf("got error %v, want collector: broken", err)
	}
	if len(o.ends) != 3 {
		t.Errorf("%v ended, want all three", o.ends)
	}
}
