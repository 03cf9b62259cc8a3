package fence_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr/fence"
)

func two(t require.TestingT) fence.Cluster {
	var c fence.Cluster
	var err error
	for _, name := range []string{"b", "a"} {
		c, err = c.Join(name, 0)
		require.NoError(t, err)
		c, err = c.Report(name, 0)
		require.NoError(t, err)
	}
	c, loss, err := c.Elect("a", 1, nil, now)
	require.NoError(t, err)
	require.Zero(t, loss)
	return c
}

func TestOnlyAMemberThatLacksNothingTakesOverUnlessItsLossIsAccepted(t *testing.T) {
	c := two(t)
	c, err := c.Acknowledge(1, 100)
	require.NoError(t, err)
	c, err = c.Report("b", 90)
	require.NoError(t, err)

	_, loss, err := c.Elect("b", 2, nil, now)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.EqualValues(t, 10, loss)
	for _, a := range []fence.Acceptance{
		{By: "alice", Loss: 9, Until: now.Add(time.Hour)},
		{By: "alice", Loss: 10, Until: now},
		{Loss: 10, Until: now.Add(time.Hour)},
	} {
		_, _, err = c.Elect("b", 2, &a, now)
		require.ErrorIs(t, err, opsec.ErrDenied, "%+v", a)
	}
	_, _, err = c.Elect("b", 1, nil, now)
	require.ErrorIs(t, err, fence.ErrFenced, "the token of another")

	next, loss, err := c.Elect("b", 2, &fence.Acceptance{By: "alice", Loss: 10, Until: now.Add(time.Hour)}, now)
	require.NoError(t, err)
	require.EqualValues(t, 10, loss)
	require.Equal(t, "a", c.Primary, "a value: its verbs change nothing")
	require.Equal(t, "b", next.Primary)
	require.Equal(t, fence.Diverged, next.Members[0].State)

	_, err = next.Acknowledge(1, 101)
	require.ErrorIs(t, err, fence.ErrFenced)
	_, err = next.Report("a", 100)
	require.ErrorIs(t, err, opsec.ErrDenied, "it has what b lacks")
	next, err = next.Join("a", 80)
	require.NoError(t, err)
	_, _, err = next.Elect("a", 3, nil, now)
	require.ErrorIs(t, err, opsec.ErrDenied, "still joining")
	next, err = next.Report("a", 90)
	require.NoError(t, err)
	_, loss, err = next.Elect("a", 3, nil, now)
	require.NoError(t, err)
	require.Zero(t, loss)
}

func TestMembersComeAndGoWithoutThePrimaryChanging(t *testing.T) {
	c := two(t)
	c, err := c.Join("c", 0)
	require.NoError(t, err)
	require.Equal(t, "a", c.Primary)
	_, err = c.Leave("a")
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, err = c.Join("a", 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = c.Leave("nobody")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = c.Report("nobody", 1)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = c.Join("", 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	c, err = c.Leave("b")
	require.NoError(t, err)
	require.Len(t, c.Members, 2)
	for i := len(c.Members); i < fence.MaxMembers; i++ {
		c, err = c.Join(fmt.Sprint(i), 0)
		require.NoError(t, err)
	}
	_, err = c.Join("one more", 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestMemberAheadOfTheNewPrimaryHasDiverged(t *testing.T) {
	c, err := two(t).Join("c", 0)
	require.NoError(t, err)
	for name, position := range map[string]uint64{"b": 90, "c": 95} {
		c, err = c.Report(name, position)
		require.NoError(t, err)
	}
	c, loss, err := c.Elect("b", 2, nil, now)
	require.NoError(t, err)
	require.Zero(t, loss, "nothing was acknowledged")
	require.Equal(t, "c", c.Members[2].Name)
	require.Equal(t, fence.Diverged, c.Members[2].State)
	_, err = c.Report("c", 100)
	require.ErrorIs(t, err, opsec.ErrDenied)
}

// A model of real logs: whatever happens, without an acceptance no acknowledged write is missing at the primary.
func TestNoAcknowledgedWriteIsLostWithoutAnAcceptance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := two(t)
		logs := map[string][]int{}
		var acknowledged []int
		write, token := 0, uint64(1)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "member")
			p := c.Primary
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0: // a write, perhaps not acknowledged
				write++
				logs[p] = append(logs[p], write)
			case 1: // the other follows for a while
				if name == p {
					break
				}
				if n := len(logs[name]); n < len(logs[p]) {
					next, err := c.Report(name, uint64(n)+1)
					if err == nil {
						logs[name] = append(logs[name], logs[p][n])
						c = next
					}
				}
			case 2: // the primary acknowledges
				n := rapid.IntRange(0, len(logs[p])).Draw(t, "to")
				next, err := c.Acknowledge(token, uint64(n))
				require.NoError(t, err)
				c = next
				if n > len(acknowledged) {
					acknowledged = append([]int(nil), logs[p][:n]...)
				}
			case 3:
				if name == p {
					break
				}
				next, loss, err := c.Elect(name, token+1, nil, now)
				if err == nil {
					require.Zero(t, loss)
					c, token = next, token+1
					acknowledged = append([]int(nil), logs[name]...)
				} else {
					require.True(t, errors.Is(err, opsec.ErrDenied))
				}
			case 4: // made a copy again
				if name != p {
					next, err := c.Join(name, 0)
					require.NoError(t, err)
					logs[name], c = nil, next
				}
			}
			require.GreaterOrEqual(t, len(logs[c.Primary]), len(acknowledged))
			require.Equal(t, acknowledged, append([]int(nil), logs[c.Primary][:len(acknowledged)]...))
		}
	})
}

func TestDivergenceIsWhatTheFormerPrimaryAloneHas(t *testing.T) {
	for _, c := range []struct {
		former, present []fence.Term
		want            fence.Divergence
	}{
		{nil, nil, fence.Divergence{}},
		{[]fence.Term{{1, 100}}, []fence.Term{{1, 90}, {2, 120}}, fence.Divergence{Fork: 90, Lost: 10, Ahead: 30}},
		{[]fence.Term{{1, 90}}, []fence.Term{{1, 90}, {2, 120}}, fence.Divergence{Fork: 90, Ahead: 30}},
		{[]fence.Term{{1, 80}}, []fence.Term{{1, 90}, {2, 120}}, fence.Divergence{Fork: 80, Ahead: 40}},
		{[]fence.Term{{1, 90}, {2, 95}}, []fence.Term{{1, 90}, {3, 91}}, fence.Divergence{Fork: 90, Lost: 5, Ahead: 1}},
		{[]fence.Term{{2, 5}}, []fence.Term{{3, 7}}, fence.Divergence{Lost: 5, Ahead: 7}},
	} {
		d, err := fence.Diverge(c.former, c.present)
		require.NoError(t, err)
		require.Equal(t, c.want, d)
	}
	for _, bad := range [][]fence.Term{{{0, 1}}, {{2, 1}, {2, 2}}, {{1, 5}, {2, 4}}} {
		_, err := fence.Diverge(bad, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		_, err = fence.Diverge(nil, bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func ExampleCluster_Elect() {
	var c fence.Cluster
	for _, name := range []string{"east", "west"} {
		c, _ = c.Join(name, 0)
		c, _ = c.Report(name, 0)
	}
	c, _, _ = c.Elect("east", 1, nil, now)
	c, _ = c.Acknowledge(1, 100)
	c, _ = c.Report("west", 97)

	_, loss, err := c.Elect("west", 2, nil, now)
	fmt.Println(loss, err)
	c, _, _ = c.Elect("west", 2, &fence.Acceptance{By: "alice", Loss: 5, Until: now.Add(time.Hour)}, now)
	fmt.Println(c.Primary, c.Members[0])
	// Output:
	// 3 fence: "west" lacks 3 of what was acknowledged, and nobody has accepted that: denied
	// west {east diverged 0}
}

func ExampleDiverge() {
	d, _ := fence.Diverge([]fence.Term{{Token: 1, End: 100}}, []fence.Term{{Token: 1, End: 97}, {Token: 2, End: 130}})
	fmt.Printf("one to %d; %d to be dropped or merged, %d to be fetched\n", d.Fork, d.Lost, d.Ahead)
	// Output: one to 97; 3 to be dropped or merged, 33 to be fetched
}
