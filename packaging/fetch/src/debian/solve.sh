# Lets apt solve the request in the base: reads the indices in /solver/archives, as sources.list and preferences have them,
# /solver/architecture, /solver/status with what is installed, and
# /solver/request, one dependency (Debian policy 7.1) a line, and prints the plan. No network, nothing is installed or downloaded.
set -eu
cd /solver
mkdir -p lists/partial cache/archives/partial
cat > apt.conf <<'END'
Dir::Etc::SourceList "/solver/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "/solver/preferences";
Dir::Etc::PreferencesParts "-";
Dir::State::Lists "/solver/lists";
Dir::State::status "/solver/status";
Dir::Cache "/solver/cache";
// The container is the sandbox, and may lack the right to change users.
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::Assume-Yes "true";
Acquire::Languages "none";
// Else apt would decide by the machine's identity whether it takes an update that Ubuntu hands out in phases.
APT::Get::Always-Include-Phased-Updates "true";
END
# The target's alone: this apt may be another architecture's.
architecture=$(cat architecture)
cat >> apt.conf <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
END
export APT_CONFIG=/solver/apt.conf LC_ALL=C DEBIAN_FRONTEND=noninteractive
# Its sources are marked as trusted: the indices were verified before they came here.
apt-get -q update >&2
set --
while IFS= read -r dependency; do
    set -- "$@" "$dependency"
done < request
echo '=== apt solution'
apt-get -q --simulate satisfy "$@"
echo '=== end of solution'
