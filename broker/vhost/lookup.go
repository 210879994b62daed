package vhost

// QueueState returns the state of one queue, if it exists.
func (v *VHost) QueueState(name string) (QueueState, bool) {
	q, ok := v.queues.Load().get(name)
	if !ok {
		return QueueState{}, false
	}
	return q.State(), true
}
