/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of libpq that the ledger calls, by their own names; include
 * this in place of <libpq-fe.h>. pv_pq_load loads the library (base/lazy.h)
 * and must have succeeded before any of them is called. One more function is
 * one more row in the list and one more line below it.
 */
#ifndef PV_POSTGRES_PQ_H
#define PV_POSTGRES_PQ_H

#include <provisor/err.h>

#include <libpq-fe.h>

#define PV_PQ_FUNCTIONS(X)     \
	X(PQclear)             \
	X(PQconnectdbParams)   \
	X(PQconninfoFree)      \
	X(PQconninfoParse)     \
	X(PQenterPipelineMode) \
	X(PQerrorMessage)      \
	X(PQexec)              \
	X(PQexecPrepared)      \
	X(PQexitPipelineMode)  \
	X(PQfformat)           \
	X(PQfinish)            \
	X(PQfreemem)           \
	X(PQgetisnull)         \
	X(PQgetlength)         \
	X(PQgetResult)         \
	X(PQgetvalue)          \
	X(PQnfields)           \
	X(PQntuples)           \
	X(PQpipelineSync)      \
	X(PQprepare)           \
	X(PQresultErrorField)  \
	X(PQresultStatus)      \
	X(PQsendQueryPrepared) \
	X(PQsetNoticeReceiver) \
	X(PQstatus)

#define PV_PQ_MEMBER(name) __typeof__(name) *name;
struct pv_pq {
	PV_PQ_FUNCTIONS(PV_PQ_MEMBER)
};
extern struct pv_pq pv_pq;

PV_MUST_USE int pv_pq_load(struct pv_error *e);

#define PQclear		    pv_pq.PQclear
#define PQconnectdbParams   pv_pq.PQconnectdbParams
#define PQconninfoFree	    pv_pq.PQconninfoFree
#define PQconninfoParse	    pv_pq.PQconninfoParse
#define PQenterPipelineMode pv_pq.PQenterPipelineMode
#define PQerrorMessage	    pv_pq.PQerrorMessage
#define PQexec		    pv_pq.PQexec
#define PQexecPrepared	    pv_pq.PQexecPrepared
#define PQexitPipelineMode  pv_pq.PQexitPipelineMode
#define PQfformat	    pv_pq.PQfformat
#define PQfinish	    pv_pq.PQfinish
#define PQfreemem	    pv_pq.PQfreemem
#define PQgetisnull	    pv_pq.PQgetisnull
#define PQgetlength	    pv_pq.PQgetlength
#define PQgetResult	    pv_pq.PQgetResult
#define PQgetvalue	    pv_pq.PQgetvalue
#define PQnfields	    pv_pq.PQnfields
#define PQntuples	    pv_pq.PQntuples
#define PQpipelineSync	    pv_pq.PQpipelineSync
#define PQprepare	    pv_pq.PQprepare
#define PQresultErrorField  pv_pq.PQresultErrorField
#define PQresultStatus	    pv_pq.PQresultStatus
#define PQsendQueryPrepared pv_pq.PQsendQueryPrepared
#define PQsetNoticeReceiver pv_pq.PQsetNoticeReceiver
#define PQstatus	    pv_pq.PQstatus

#endif
