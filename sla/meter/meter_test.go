package meter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

var _ meter.Reader = (*meter.Meter)(nil)

func TestOpenStateEndsWhereTheSourceSaysMore(t *testing.T) {
	m := meter.New()
	require.NoError(t, m.Add(meter.Evidence{Source: "p", Seq: 2, Resource: "vm", Span: timeline.Span{Start: 50, End: 100}, State: meter.Up}))
	require.NoError(t, m.Add(meter.Evidence{Source: "p", Seq: 1, Resource: "vm", Span: timeline.Span{Start: 10, End: meter.Open}, State: meter.Down}))
	var got metric.States
	m.Resources(timeline.Span{Start: 0, End: 90}, func(_ string, in metric.Input) bool { got = in.States; return true })
	require.Equal(t, timeline.Line{{Start: 10, End: 50}}, got.Down)
	require.Equal(t, timeline.Line{{Start: 50, End: 90}}, got.Up)
}
