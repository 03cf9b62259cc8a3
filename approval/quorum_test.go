package approval_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// enough decides by brute force whether voters suffice: every way to let each voter count for one leaf, or none, is
// tried. The voters say which leaves they could count for.
func enough(rule approval.Rule, manyRoles bool, voters [][]bool) bool {
	counts := make([]int, 64)
	if manyRoles {
		for _, can := range voters {
			for leaf, ok := range can {
				if ok {
					counts[leaf]++
				}
			}
		}
		return holds(rule, counts, new(int))
	}
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(voters) {
			return holds(rule, counts, new(int))
		}
		if try(i + 1) {
			return true
		}
		for leaf, ok := range voters[i] {
			if ok {
				counts[leaf]++
				if try(i + 1) {
					return true
				}
				counts[leaf]--
			}
		}
		return false
	}
	return try(0)
}

// holds evaluates a rule when so many count for each of its leaves, numbered as they are written.
func holds(r approval.Rule, counts []int, next *int) bool {
	if r.Role != "" {
		*next++
		return counts[*next-1] >= max(r.Min, 1)
	}
	all, any := true, false
	for _, one := range slices.Concat(r.All, r.Any) {
		if holds(one, counts, next) {
			any = true
		} else {
			all = false
		}
	}
	return all && len(r.All) > 0 || any && len(r.Any) > 0
}

// leavesOf numbers the leaves as holds does.
func leavesOf(r approval.Rule) (list []approval.Rule) {
	if r.Role != "" {
		return []approval.Rule{r}
	}
	for _, one := range slices.Concat(r.All, r.Any) {
		list = append(list, leavesOf(one)...)
	}
	return list
}

func drawRule(t *rapid.T, depth int, sides ...approval.Side) approval.Rule {
	kind := rapid.IntRange(0, 2).Draw(t, "kind")
	if depth == 1 || kind == 0 {
		return approval.Rule{
			Role: rapid.SampledFrom([]string{"ops", "staff", "chief"}).Draw(t, "role"),
			Side: rapid.SampledFrom(sides).Draw(t, "side"),
			Min:  rapid.IntRange(0, 2).Draw(t, "min"),
		}
	}
	var rules []approval.Rule
	for range rapid.IntRange(1, 2).Draw(t, "width") {
		rules = append(rules, drawRule(t, depth-1, sides...))
	}
	if kind == 1 {
		return approval.Rule{All: rules}
	}
	return approval.Rule{Any: rules}
}

func drawRoles(t *rapid.T) []string {
	return rapid.SampledFrom([][]string{
		{"chief", "staff", "ops"}, {"staff", "ops"}, {"ops", "chief"}, {"ops"}, {"staff"}, {"chief"}, {"guest"}, nil,
	}).Draw(t, "roles")
}

// A stage is met after exactly those approvals after which brute force finds a way to count them.
func TestQuorumEqualsBruteForce(t *testing.T) {
	met := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		policy := plain(drawRule(t, 3, approval.RequesterSide))
		policy.InsecureManyRoles = rapid.Bool().Draw(t, "many roles")
		c := open(t, policy)
		leaves := leavesOf(policy.Stages[0].Rule)
		var voters [][]bool
		done := false
		for i := range 7 {
			person := fmt.Sprint("p", i)
			held := drawRoles(t)
			can := make([]bool, len(leaves))
			for l, leaf := range leaves {
				can[l] = slices.Contains(held, leaf.Role)
			}
			next, _, err := c.Decide(approve(0, human(person)), holding(map[string][]string{person: held}), start)
			require.Equal(t, !done && slices.Contains(can, true), err == nil)
			if err != nil {
				continue
			}
			c, voters = next, append(voters, can)
			done = enough(policy.Stages[0].Rule, policy.InsecureManyRoles, voters)
			require.Equal(t, done, status(t, c, start) == approval.Approved)
		}
		met[done]++
	})
	require.NotZero(t, met[true])
	require.NotZero(t, met[false])
}

func TestPersonsWithSeveralRolesCountWhereTheyHelp(t *testing.T) {
	both := approval.Rule{All: []approval.Rule{role("ops", 1), role("security", 1)}}
	nested := approval.Rule{Any: []approval.Rule{role("chief", 1), {All: []approval.Rule{role("ops", 2), role("security", 1)}}}}
	type vote struct {
		person string
		roles  []string
	}
	tests := []struct {
		name string
		rule approval.Rule
		many bool
		want approval.Status
		by   []vote
	}{
		{"one with both roles is one", both, false, approval.Pending, []vote{{"bob", []string{"ops", "security"}}}},
		{"but two where the policy says so", both, true, approval.Approved, []vote{{"bob", []string{"ops", "security"}}}},
		{"the first moves over", both, false, approval.Approved, []vote{{"bob", []string{"ops", "security"}}, {"carol", []string{"ops"}}}},
		{"the first stays", both, false, approval.Approved, []vote{{"bob", []string{"ops", "security"}}, {"carol", []string{"security"}}}},
		{"two of one kind", both, false, approval.Pending, []vote{{"bob", []string{"ops"}}, {"carol", []string{"ops"}}}},
		{"a chain of moves", nested, false, approval.Approved, []vote{
			{"bob", []string{"ops", "security"}}, {"carol", []string{"ops", "security"}}, {"dave", []string{"ops"}},
		}},
		{"or", nested, false, approval.Approved, []vote{{"bob", []string{"ops"}}, {"carol", []string{"chief"}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			policy := plain(test.rule)
			policy.InsecureManyRoles = test.many
			c := open(t, policy)
			for _, v := range test.by {
				c = must(t)(c.Decide(approve(0, human(v.person)), holding(map[string][]string{v.person: v.roles}), start))
			}
			require.Equal(t, test.want, status(t, c, start))
		})
	}
}

// widest asks for all the persons that a policy may ask for, in as many ways. For six of the places there are five persons
// who could take any of them, and more than enough for the others.
func widest() (approval.Policy, approval.Authority) {
	var all approval.Rule
	var few, many []string
	for i := range 4 {
		var any approval.Rule
		for j := range 3 {
			name := fmt.Sprintf("r%d%d", i, j)
			any.Any = append(any.Any, role(name, []int{2, 2, 2, 4}[i]))
			if i < 2 {
				many = append(many, name)
			} else {
				few = append(few, name)
			}
		}
		all.All = append(all.All, any)
	}
	return plain(all), approval.Authority{Roles: func(a opsec.Actor) ([]string, error) {
		if slices.Contains([]string{"p1", "p2", "p3", "p5", "p8"}, a.Person) {
			return few, nil
		}
		return many, nil
	}}
}

func TestTheWidestPolicyIsDecided(t *testing.T) {
	policy, a := widest()
	require.NoError(t, policy.Validate())
	c := open(t, policy)
	for i := range 20 {
		c = must(t)(c.Decide(approve(0, human(fmt.Sprint("p", i))), a, start))
		require.Equal(t, approval.Pending, status(t, c, start))
	}
	c = must(t)(c.Decide(approve(0, human("last")), holding(map[string][]string{"last": {"r32"}}), start))
	require.Equal(t, approval.Approved, status(t, c, start))
}
