package bus

import "maps"

// arguments of the queue as it is declared with a type. A quorum queue knows no
// exclusive consumer: a single active one takes its place, and others wait.
func (q *Queue) arguments(queueType string) Args {
	if queueType != quorum {
		return q.Args // classic is what a queue without a type is
	}
	args := maps.Clone(q.Args)
	if args == nil {
		args = Args{}
	}
	args["x-queue-type"], args["x-single-active-consumer"] = quorum, true
	return args
}

// WithType returns the topology with its queues of a type, as components that
// are configured with this type declare them.
func (t Topology) WithType(queueType string) Topology {
	queues := make([]Queue, len(t.Queues))
	for i, q := range t.Queues {
		queues[i] = Queue{Name: q.Name, Args: q.arguments(queueType)}
	}
	t.Queues = queues
	return t
}
