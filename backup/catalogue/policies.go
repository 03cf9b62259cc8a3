package catalogue

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/cloudopsec/opsec/backup/retention"
)

// Policies is the [Retainer] of package retention: a policy is the JSON of a [retention.Policy].
type Policies struct{}

// Drop implements [Retainer] by [retention.Plan].
func (Policies) Drop(policy json.RawMessage, points []retention.Point, now time.Time) (ids []string, err error) {
	p, err := retention.ParsePolicy(bytes.NewReader(policy))
	if err != nil {
		return nil, err
	}
	result, err := retention.Plan(points, p, now)
	if err != nil {
		return nil, err
	}
	for _, d := range result.Decisions {
		if !d.Keep {
			ids = append(ids, d.ID)
		}
	}
	return ids, nil
}

// AtLeast implements [Retainer] by [retention.Policy.AtLeast].
func (Policies) AtLeast(was, next json.RawMessage) (bool, error) {
	old, err := retention.ParsePolicy(bytes.NewReader(was))
	if err != nil {
		return false, err
	}
	p, err := retention.ParsePolicy(bytes.NewReader(next))
	if err != nil {
		return false, err
	}
	return p.AtLeast(&old), nil
}
