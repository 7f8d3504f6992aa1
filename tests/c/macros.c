/* Every macro of the header, in an expression: compiled as C89 and as C++98 too. */
#include <unipc.h>
#include <unipc.h>

unipc_fifo_options fifo_options = UNIPC_FIFO_OPTIONS_INIT;
unipc_queue_options queue_options = UNIPC_QUEUE_OPTIONS_INIT;
unipc_queue_attributes queue_attributes = UNIPC_QUEUE_ATTRIBUTES_INIT;
unipc_queue_slot queue_slot = UNIPC_QUEUE_SLOT_INIT;
unipc_memory_options memory_options = UNIPC_MEMORY_OPTIONS_INIT;
unipc_semaphore_options semaphore_options = UNIPC_SEMAPHORE_OPTIONS_INIT;

int64_t timeouts[] = {
    UNIPC_FOREVER, UNIPC_SECONDS(2), UNIPC_MILLISECONDS(2), UNIPC_MICROSECONDS(2 + 2), -UNIPC_FOREVER
};

size_t sizes[] = {
    UNIPC_PIPE_BUF, UNIPC_SEMAPHORE_SIZE, UNIPC_SEMAPHORE_ALIGN
};

unsigned int limits[] = {
    UNIPC_QUEUE_PRIORITY_MAX, UNIPC_SEMAPHORE_MAX,
    UNIPC_SEAL_SEAL | UNIPC_SEAL_SHRINK | UNIPC_SEAL_GROW | UNIPC_SEAL_WRITE | UNIPC_SEAL_FUTURE_WRITE
};

int numbers[] = {
    UNIPC_VERSION_MAJOR, UNIPC_VERSION_MINOR, UNIPC_VERSION_PATCH, UNIPC_VERSION_NUMBER * 2,
    UNIPC_ENGINE_POSIX, UNIPC_ENGINE_SHM,
    UNIPC_ACCESS_READ_WRITE, UNIPC_ACCESS_READ_ONLY, UNIPC_ACCESS_WRITE_ONLY,
    UNIPC_SHARING_SHARED, UNIPC_SHARING_PRIVATE,
    UNIPC_PROTECTION_NONE, UNIPC_PROTECTION_READ, UNIPC_PROTECTION_READ_WRITE
};

#if UNIPC_VERSION_NUMBER < 1000
#error "the preprocessor can compare the version"
#endif
