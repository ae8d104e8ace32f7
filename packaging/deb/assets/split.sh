#!/bin/sh
# The phase `split`: separates debug symbols, strips, and computes shared-library dependencies, as dh_strip(1) and
# dpkg-shlibdeps(1) do it. Runs in the build root, whose tools and libraries decide the result.
#
# usage: split.sh [INPUT OUTPUT]
#   INPUT/elf-files   PACKAGE<tab>PATH of each ELF file
#   INPUT/archives    PACKAGE<tab>PATH of each static library
#   OUTPUT/stage      the staged tree; it is stripped where it lies
#   OUTPUT/debug      usr/lib/debug/.build-id/xx/yyy.debug
#   OUTPUT/binaries   PACKAGE<tab>PATH<tab>BUILD-ID<tab>SONAME<tab>yes|no (whether there are debug symbols); - is none
#   OUTPUT/substvars/PACKAGE
# JOBS files or packages are worked on at once; each writes files of its own, so that their order does not show.
set -eu
umask 022
tab=$(printf '\t')

# One ELF file: separate, strip, report.
one() {
	number=$1 package=$2 path=$3
	file=$output/stage/$path
	build_id='' soname='' debug=no
	type=$(readelf --file-header -- "$file" | sed -n 's/^ *Type: *\([A-Z]*\).*/\1/p')
	case $type in
	EXEC | DYN)
		chmod u+w "$file"
		build_id=$(readelf --notes -- "$file" | sed -n 's/^ *Build ID: \([0-9a-f]*\)$/\1/p' | head -n 1)
		soname=$(readelf --dynamic --wide -- "$file" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
		symbols=
		if readelf --sections --wide -- "$file" | grep -Eq '\.(symtab|debug_info) '; then
			if [ -z "$build_id" ]; then
				echo "split: $path has no build id, so its debug symbols cannot be kept: link it with -Wl,--build-id" >&2
			else
				rest=${build_id#??}
				symbols=$output/debug/usr/lib/debug/.build-id/${build_id%"$rest"}/$rest.debug
				mkdir -p "${symbols%/*}"
				# The same file may be installed twice, and processed at the same time.
				objcopy --only-keep-debug --compress-debug-sections "$file" "$symbols.$number"
				chmod 644 "$symbols.$number"
				mv "$symbols.$number" "$symbols"
				debug=yes
			fi
		fi
		# A program has an interpreter; a shared library keeps the symbols that other files need.
		if [ "$type" = EXEC ] || readelf --program-headers --wide -- "$file" | grep -q '^ *INTERP '; then
			strip --remove-section=.comment --remove-section=.note "$file"
		else
			strip --remove-section=.comment --remove-section=.note --strip-unneeded "$file"
		fi
		if [ -n "$symbols" ]; then
			objcopy --add-gnu-debuglink="$symbols" "$file"
		fi
		;;
	*) ;; # Object files are for a linker: left as they are.
	esac
	printf '%s\t%s\t%s\t%s\t%s\n' "$package" "$path" "${build_id:--}" "${soname:--}" "$debug" >"$output/work/report/$number"
}

# One static library.
archive() {
	chmod u+w "$output/stage/$2"
	strip --strip-debug --remove-section=.comment --remove-section=.note --enable-deterministic-archives \
		-R '.gnu.lto_*' -R '.gnu.debuglto_*' -N __gnu_lto_slim -N __gnu_lto_v1 "$output/stage/$2"
}

# The dependencies of one package.
#
# dpkg-shlibdeps takes the folder above DEBIAN for a package's: here for all packages together, so that their own
# libraries are found first. shlibs.local says which package has which of them; the version is added when they are packed.
dependencies() {
	package=$1
	set --
	# Private libraries are in no folder that the linker knows.
	while IFS=$tab read -r _ path _; do
		case $path in
		*.so | *.so.*) set -- "$@" "-l/${path%/*}" ;;
		esac
	done <"$output/binaries"
	count=0
	while IFS=$tab read -r other path _; do
		if [ "$other" = "$package" ] && readelf --dynamic -- "$output/stage/$path" | grep -q '(NEEDED)'; then
			set -- "$@" "-e$output/stage/$path"
			count=$((count + 1))
		fi
	done <"$output/binaries"
	: >"$output/substvars/$package"
	if [ "$count" -gt 0 ]; then
		(cd "$output/work" && dpkg-shlibdeps "-x$package" "-T$output/substvars/$package" "$@")
	fi
}

case ${1:-} in
--one | --archive | --dependencies)
	job=${1#--} output=$2
	IFS=$tab
	set -f
	# shellcheck disable=SC2086 # the line's fields
	set -- $3
	set +f
	unset IFS
	"$job" "$@"
	exit
	;;
esac

input=${1:-/build/recipe-split} output=${2:-/build/out/split} jobs=${JOBS:-1}
mkdir -p "$output/debug" "$output/substvars" "$output/work/report" "$output/work/debian" "$output/stage/DEBIAN"

# each COUNT JOB LIST: does a job for every line, so many at once.
each() {
	xargs -r -d '\n' -n 1 -P "$1" sh "$0" "--$2" "$output" <"$3"
}

# Large files one after another, since objcopy needs as much memory as they have bytes, and beside them the others.
number=1000000
: >"$output/work/small"
: >"$output/work/large"
while IFS=$tab read -r package path; do
	number=$((number + 1))
	list=small
	if [ "$(stat -c %s "$output/stage/$path")" -gt 67108864 ]; then list=large; fi
	printf '%s\t%s\t%s\n' "$number" "$package" "$path" >>"$output/work/$list"
done <"$input/elf-files"
beside=$jobs large=
if [ -s "$output/work/large" ] && [ "$jobs" -gt 1 ]; then
	each 1 one "$output/work/large" &
	large=$! beside=$((jobs - 1))
else
	each 1 one "$output/work/large"
fi
status=0
each "$beside" one "$output/work/small" || status=$?
each "$beside" archive "$input/archives" || status=$?
if [ -n "$large" ]; then wait "$large" || status=$?; fi
if [ "$status" -ne 0 ]; then exit "$status"; fi
: >"$output/binaries"
for report in "$output"/work/report/*; do
	if [ -f "$report" ]; then cat "$report" >>"$output/binaries"; fi
done

printf 'Source: split\n\nPackage: split\nArchitecture: any\n' >"$output/work/debian/control"
while IFS=$tab read -r package path build_id soname debug; do
	printf '%s\t%s\n' "$soname" "$package"
done <"$output/binaries" | sed -n -E \
	-e "s/^([^$tab]+)\\.so\\.([^$tab]+)$tab(.+)\$/\\1 \\2 \\3/p;t" \
	-e "s/^([^$tab]+)-([0-9][^$tab]*)\\.so$tab(.+)\$/\\1 \\2 \\3/p" >"$output/work/debian/shlibs.local"

cut -f 1 "$output/binaries" | sort -u >"$output/work/packages"
each "$jobs" dependencies "$output/work/packages"
rm -rf "$output/work" "$output/stage/DEBIAN"
