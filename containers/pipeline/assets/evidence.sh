# Prints, as a tar archive, what helps to understand why a phase failed, of what was written in the last minutes:
#   evidence.sh, with MINUTES in the environment and the phase's volume at /build
# The first member is cores, with the names of the core dumps: they may be gigabytes each, and stay where they are.
set -e
cd /build
find . -type f \( -name core -o -name 'core.[0-9]*' \) -mmin "-$MINUTES" ! -path '*
*' | sort | while IFS= read -r file; do
    if [ "$(head -c 4 "$file" | tail -c 3)" = ELF ]; then echo "${file#./}"; fi
done >/tmp/cores
# Of each kind of tool that tells of a file with more. A configure that went well says so in the last line of its config.log.
find . -type f \( -name config.log -o -name CMakeError.log -o -name CMakeOutput.log -o -name CMakeConfigureLog.yaml \
    -o -name meson-log.txt -o -name test-suite.log \) -mmin "-$MINUTES" -size -64M ! -path '*
*' | sort | while IFS= read -r file; do
    case $file in
    */config.log) if tail -n 3 "$file" | grep -q '^configure: exit 0$'; then continue; fi ;;
    esac
    echo "${file#./}"
done | head -n 40 >/tmp/files
exec tar -c -f - -C /tmp cores -C /build --verbatim-files-from -T /tmp/files
