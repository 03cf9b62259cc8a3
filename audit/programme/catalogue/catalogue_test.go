package catalogue_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme/catalogue"
)

// list reads a file of one id a line; '#' begins a comment.
func list(t *testing.T, file string) (ids []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			ids = append(ids, line)
		}
	}
	require.NotEmpty(t, ids)
	return ids
}

func TestX1642HasEveryRequirementOnceInOrder(t *testing.T) {
	c := catalogue.X1642()
	require.NoError(t, c.Validate())
	require.Equal(t, "x1642/1", c.Name())
	var ids []string
	for _, r := range c.Requirements {
		ids = append(ids, r.ID)
		require.Equal(t, r.Clause, r.ID[:strings.LastIndex(r.ID, "-")], r.ID)
		require.True(t, strings.HasSuffix(r.Text, "."), "%s is a sentence", r.ID)
		require.NotContains(t, r.Title, "\n", r.ID)
	}
	require.Equal(t, list(t, "testdata/requirements.txt"), ids)
}

func TestX1642HasTheSixCategoriesOfTheRecommendation(t *testing.T) {
	c := catalogue.X1642()
	for i, id := range []string{"virtualisation", "platform", "operation", "iam", "keys", "emergency"} {
		k, ok := c.Category(id)
		require.True(t, ok, id)
		require.Equal(t, c.Categories[i], k)
		require.Equal(t, fmt.Sprintf("8.11.2-%d", i+1), k.Requirement)
		demands, ok := c.Requirement(k.Requirement)
		require.True(t, ok)
		require.Equal(t, []string{id}, demands.Categories)
		require.Greater(t, len(slices.Collect(c.Of(id))), 5, "%s: enough to audit", id)
	}
	require.Len(t, c.Categories, 6)
}

func TestReferencesAreToControlsThatExist(t *testing.T) {
	checked := list(t, "testdata/sp800-53-ids.txt")
	form := regexp.MustCompile(`^[a-z]{2}-[1-9][0-9]?(\.[1-9][0-9]?)?$`)
	referring := 0
	for _, r := range catalogue.X1642().Requirements {
		require.LessOrEqual(t, len(r.Refs), 4, r.ID)
		for _, ref := range r.Refs {
			require.Equal(t, catalogue.SP80053, ref.Framework, r.ID)
			require.Regexp(t, form, ref.ID, r.ID)
			require.Contains(t, checked, ref.ID, r.ID)
		}
		if len(r.Refs) > 0 {
			referring++
		}
	}
	require.Greater(t, referring, 80)
}

func TestX1642IsTheCallersOwn(t *testing.T) {
	c := catalogue.X1642()
	c.Requirements[0].Title, c.Categories = "changed", nil
	require.NotEqual(t, c, catalogue.X1642())
}

func TestWhatIsThereIsFoundAndNothingElse(t *testing.T) {
	c := catalogue.X1642()
	first, ok := c.Requirement("7.1-1")
	require.True(t, ok)
	require.Equal(t, c.Requirements[0], first)
	_, ok = c.Requirement("8.11.2")
	require.False(t, ok)
	_, ok = c.Category("IAM")
	require.False(t, ok)
	require.Empty(t, slices.Collect(c.Of("")))
}

func TestOfEndsWhenAsked(t *testing.T) {
	n := 0
	for range catalogue.X1642().Of("keys") {
		n++
		break
	}
	require.Equal(t, 1, n)
}
